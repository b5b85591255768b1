#!/bin/sh
# Trains the demo models: models/demo/train.sh [options of dev.jeton.benchmarks.demo.DemoModels]
# Needs about 120 MB of PyTorch from Maven Central on the first run.
set -eu
cd "$(dirname "$0")/../.."
. ./.mvn/jdk.sh
jeton_find_jdk
./mvnw -q -Ptrainer -pl benchmarks -am -DskipTests package
# More threads than free cores slow libtorch down many times over; waiting threads must not spin.
: "${OMP_NUM_THREADS:=2}"
OMP_WAIT_POLICY=PASSIVE
export OMP_NUM_THREADS OMP_WAIT_POLICY
exec "$JAVA_HOME/bin/java" --enable-native-access=ALL-UNNAMED -Dai.djl.offline=true -Xmx2g \
    -cp "benchmarks/target/classes:benchmarks/target/trainer/*" dev.jeton.benchmarks.demo.DemoModels "$@"
