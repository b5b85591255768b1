# Sourced by ./mvnw and ./jeton: finds a JDK of at least version 25 and exports JAVA_HOME.
# An explicit JETON_JDK wins; then JAVA_HOME; then the `java` on the PATH; then the usual folders.

jeton_jdk_version() {
  # The release file is read instead of starting the JVM: it costs no process and no half second.
  [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 1
  sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release"
}

jeton_find_jdk() {
  path_java=$(command -v java 2>/dev/null || true)
  if [ -n "$path_java" ]; then
    path_java=$(dirname "$(dirname "$(readlink -f "$path_java")")")
  fi
  for jeton_candidate in "${JETON_JDK:-}" "${JAVA_HOME:-}" "$path_java" \
    /usr/lib/jvm/* /usr/java/* /opt/java/* /opt/jdk* /opt/temurin* /usr/local/jdk* /usr/local/java* \
    "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/* /Library/Java/JavaVirtualMachines/*/Contents/Home; do
    [ -n "$jeton_candidate" ] || continue
    version=$(jeton_jdk_version "$jeton_candidate" 2>/dev/null) || continue
    if [ -n "$version" ] && [ "$version" -ge 25 ]; then
      JAVA_HOME=$jeton_candidate
      export JAVA_HOME
      return 0
    fi
  done
  echo "jeton: no JDK of version 25 or newer found." >&2
  echo "       Looked at JETON_JDK, JAVA_HOME, the java on the PATH and the usual folders (/usr/lib/jvm, ...)." >&2
  echo "       Install one (for example Eclipse Temurin 25) or set JETON_JDK=/path/to/jdk." >&2
  return 1
}
