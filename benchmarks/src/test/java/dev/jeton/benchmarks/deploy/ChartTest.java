package dev.jeton.benchmarks.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import com.marcnuri.helm.Helm;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.config.Configuration.ModelSettings;
import dev.jeton.server.config.ConfigurationLoader;
import io.kubernetes.client.openapi.models.V1ConfigMap;
import io.kubernetes.client.openapi.models.V1Ingress;
import io.kubernetes.client.openapi.models.V1NetworkPolicy;
import io.kubernetes.client.openapi.models.V1PodDisruptionBudget;
import io.kubernetes.client.openapi.models.V1Secret;
import io.kubernetes.client.openapi.models.V1Service;
import io.kubernetes.client.openapi.models.V1ServiceAccount;
import io.kubernetes.client.openapi.models.V1StatefulSet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** The Helm chart, rendered by Helm, held against Kubernetes' own description of its objects and against the server. */
class ChartTest {

    private static final Path CHART = DeployFiles.HOME.resolve("deploy/helm/jeton");
    private static final String DIGEST = "0123456789abcdef".repeat(4);

    private static final String PLAIN = "{}";

    private static final String EVERYTHING = """
            models: [{path: /models/a, name: llama, engine: cuda, tensor-parallel-size: 2}]
            modelVolume: {persistentVolumeClaim: {claimName: models, readOnly: true}}
            gpus: 2
            runtimeClassName: nvidia
            replicas: 3
            image: {pullSecrets: [registry]}
            config:
              books: {ledger: "jdbc:postgresql://postgres/jeton", user: jeton}
              admin: {port: 8001, keys: ["ops:%1$s"]}
              tenants: [{id: acme, keys: [{id: laptop, sha256: "%1$s"}]}]
              budgets:
                - {id: each, level: tenant, tenant: acme, unit: output-tokens, window: day, timezone: UTC, limit: 10000000000}
            prices: |
              currency: EUR
            environmentFrom: [jeton-passwords]
            environment: [{name: JETON_LOG_LEVEL, value: debug}]
            resources: {requests: {cpu: "8"}, limits: {memory: 64Gi}}
            ingress: {enabled: true, className: nginx, host: jeton.example.org, tlsSecret: tls}
            networkPolicy: {enabled: true, from: [{podSelector: {}}], adminFrom: [{namespaceSelector: {}}]}
            tls: {secret: jeton-tls}
            serviceMonitor:
              enabled: true
              labels: {release: prometheus}
              tlsConfig: {ca: {secret: {name: jeton-tls, key: ca.crt}}}
            prometheusRule: {enabled: true}
            dashboards: {enabled: true}
            podAnnotations: {a: b}
            podLabels: {c: d}
            nodeSelector: {gpu: h200}
            tolerations: [{key: nvidia.com/gpu, operator: Exists}]
            affinity: {nodeAffinity: {}}
            topologySpreadConstraints: []
            priorityClassName: high
            """.formatted(DIGEST);

    @TempDir
    private Path folder;

    @BeforeEach
    void needsLinux() {
        Assumptions.assumeTrue(
                System.getProperty("os.name").equals("Linux")
                        && System.getProperty("os.arch").equals("amd64"),
                "Helm's library is there for x86-64 Linux only");
    }

    @Test
    void passesHelmsLint() {
        var result = new Helm(CHART).lint().call();

        assertThat(result.isFailed()).as("%s", result.getMessages()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain", "everything"})
    void rendersWhatKubernetesKnows(String values) throws IOException {
        for (JsonNode object : rendered(values.equals("plain") ? PLAIN : EVERYTHING)) {
            JsonElement element = JsonParser.parseString(object.toString());
            switch (object.path("kind").asString()) {
                case "ConfigMap" -> V1ConfigMap.validateJsonElement(element);
                case "Ingress" -> V1Ingress.validateJsonElement(element);
                case "NetworkPolicy" -> V1NetworkPolicy.validateJsonElement(element);
                case "PodDisruptionBudget" -> V1PodDisruptionBudget.validateJsonElement(element);
                case "Secret" -> V1Secret.validateJsonElement(element);
                case "Service" -> V1Service.validateJsonElement(element);
                case "ServiceAccount" -> V1ServiceAccount.validateJsonElement(element);
                case "StatefulSet" -> V1StatefulSet.validateJsonElement(element);
                case "PrometheusRule", "ServiceMonitor" ->
                    assertThat(object.path("apiVersion").asString()).isEqualTo("monitoring.coreos.com/v1");
                default -> throw new AssertionError("nobody checks " + object);
            }
        }
    }

    @Test
    void writesAConfigurationThatTheServerTakes() throws IOException {
        JsonNode files = one(rendered(EVERYTHING), "Secret").path("stringData");
        Path file = Files.writeString(
                folder.resolve("jeton.yaml"), files.path("jeton.yaml").asString());
        Map<String, String> environment = new HashMap<>();
        container(rendered(EVERYTHING))
                .path("env")
                .forEach(variable -> environment.put(
                        variable.path("name").asString(), variable.path("value").asString("a-name")));

        Configuration configuration =
                new ConfigurationLoader(environment).file(file).load().configuration();

        assertThat(configuration.server().host()).isEqualTo("0.0.0.0");
        assertThat(configuration.admin().host()).isEqualTo("0.0.0.0");
        assertThat(configuration.books().node()).isEqualTo("a-name");
        assertThat(configuration.models())
                .extracting(ModelSettings::tensorParallel)
                .containsExactly(2);
        assertThat(configuration.budgets()).hasSize(1);
        assertThat(files.path("prices.yaml").asString()).isEqualTo("currency: EUR\n");
    }

    @Test
    void waitsLongerForTheEndThanTheServerDrains() throws IOException {
        List<JsonNode> objects = rendered("{drainSeconds: 600, preStopSeconds: 20}");
        String configuration =
                one(objects, "Secret").at("/stringData/jeton.yaml").asString();

        assertThat(configuration).contains("drain-timeout: 600s");
        assertThat(pod(objects).path("terminationGracePeriodSeconds").asInt()).isGreaterThan(620);
    }

    @Test
    void mountsOnlyVolumesThatThePodHas() throws IOException {
        JsonNode set = one(rendered(EVERYTHING), "StatefulSet");
        List<String> volumes = new ArrayList<>(texts(set.at("/spec/template/spec/volumes"), "/name"));
        volumes.addAll(texts(set.at("/spec/volumeClaimTemplates"), "/metadata/name"));

        assertThat(texts(set.at("/spec/template/spec/containers/0/volumeMounts"), "/name"))
                .containsExactlyInAnyOrderElementsOf(volumes);
    }

    @Test
    void offersPortsThatTheContainerHas() throws IOException {
        List<JsonNode> objects = rendered(EVERYTHING);
        List<String> ports = texts(container(objects).path("ports"), "/name");

        assertThat(ports).containsExactly("http", "admin");
        for (JsonNode service : all(objects, "Service")) {
            assertThat(ports).containsAll(texts(service.at("/spec/ports"), "/targetPort"));
        }
    }

    @Test
    void keepsTheAdminApiFromTheServiceThatIsSharedByReplicas() throws IOException {
        JsonNode shared = all(rendered(EVERYTHING), "Service").getFirst();

        assertThat(texts(shared.at("/spec/ports"), "/name")).containsExactly("http");
    }

    @Test
    void findsItsPodsByTheLabelsThatTheyHave() throws IOException {
        List<JsonNode> objects = rendered(EVERYTHING);
        JsonNode labels = one(objects, "StatefulSet").at("/spec/template/metadata/labels");
        List<JsonNode> selectors = new ArrayList<>();
        all(objects, "Service").forEach(service -> selectors.add(service.at("/spec/selector")));
        selectors.add(one(objects, "StatefulSet").at("/spec/selector/matchLabels"));
        selectors.add(one(objects, "PodDisruptionBudget").at("/spec/selector/matchLabels"));
        selectors.add(one(objects, "NetworkPolicy").at("/spec/podSelector/matchLabels"));

        for (JsonNode selector : selectors) {
            assertThat(selector.properties()).isNotEmpty();
            assertThat(labels.properties()).containsAll(selector.properties());
        }
    }

    @Test
    void givesThePodItsGpusBesideOtherLimits() throws IOException {
        JsonNode limits = container(rendered(EVERYTHING)).at("/resources/limits");

        assertThat(limits.path("nvidia.com/gpu").asInt()).isEqualTo(2);
        assertThat(limits.path("memory").asString()).isEqualTo("64Gi");
    }

    @Test
    void hidesGpusFromAPodThatAsksForNone() throws IOException {
        assertThat(variable(PLAIN, "NVIDIA_VISIBLE_DEVICES")).isEqualTo("void");
        assertThat(variable(EVERYTHING, "NVIDIA_VISIBLE_DEVICES")).isEmpty();
    }

    @Test
    void asksByTlsWhereTheServerSpeaksIt() throws IOException {
        JsonNode container = container(rendered(EVERYTHING));
        assertThat(variable(EVERYTHING, "JETON_TLS_CERTIFICATE")).isEqualTo("/etc/jeton-tls/tls.crt");
        assertThat(variable(PLAIN, "JETON_TLS_CERTIFICATE")).isEmpty();
        for (String probe : List.of("startupProbe", "readinessProbe", "livenessProbe")) {
            assertThat(container.at("/" + probe + "/httpGet/scheme").asString()).isEqualTo("HTTPS");
            assertThat(container(rendered(PLAIN)).at("/" + probe + "/httpGet").has("scheme"))
                    .isFalse();
        }
        assertThat(one(rendered(EVERYTHING), "ServiceMonitor")
                        .at("/spec/endpoints/0/scheme")
                        .asString())
                .isEqualTo("https");
    }

    @Test
    void carriesTheRulesAndDashboardsAsTheyAre() throws IOException {
        List<JsonNode> objects = rendered(EVERYTHING);
        List<JsonNode> rules = new ArrayList<>();
        one(objects, "PrometheusRule")
                .at("/spec/groups")
                .forEach(group -> group.path("rules").forEach(rules::add));

        assertThat(rules)
                .isEqualTo(
                        DeployFiles.rules().stream().map(DeployFiles.Rule::node).toList());
        for (String name : List.of("operations", "money")) {
            assertThat(all(objects, "ConfigMap"))
                    .extracting(map -> map.at("/data/jeton-" + name + ".json").asString())
                    .contains(DeployFiles.text(DeployFiles.HOME.resolve("deploy/grafana/" + name + ".json")));
        }
    }

    @Test
    void startsPodsAnewWhenTheConfigurationChanges() throws IOException {
        assertThat(checksum("{config: {log: {level: debug}}}"))
                .isNotEqualTo(checksum("{config: {log: {level: info}}}"));
        assertThat(checksum("{podLabels: {a: b}}")).isEqualTo(checksum(PLAIN));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{replica: 2} | replica",
                "{gpus: some} | gpus",
                "{models: [{name: a}]} | missing property",
                "{config: {server: {port: 80}}} | set service.port",
                "{config: {server: {drain-timeout: 1m}}} | set drainSeconds",
                "{config: {books: {folder: /books}}} | it is /var/lib/jeton/books in a pod",
                "{config: {books: {node: a}}} | it is the pod's name",
                "{config: {models: []}} | set models",
                "{config: {admin: {port: 8000}}} | the API has that port",
                "{modelVolume: {name: mine, emptyDir: {}}} | modelVolume",
                "{ingress: {enabled: true}} | ingress.host must name the host"
            })
    void refusesValuesThatCannotBeMeant(String values, String said) {
        assertThatThrownBy(() -> rendered(values)).hasMessageContaining(said);
    }

    /** The value of a variable that the container gets; empty where it does not. */
    private String variable(String values, String name) throws IOException {
        for (JsonNode variable : container(rendered(values)).path("env")) {
            if (variable.path("name").asString().equals(name)) {
                return variable.path("value").asString();
            }
        }
        return "";
    }

    private String checksum(String values) throws IOException {
        return one(rendered(values), "StatefulSet")
                .at("/spec/template/metadata/annotations/checksum~1config")
                .asString();
    }

    private List<JsonNode> rendered(String values) throws IOException {
        Path file = Files.writeString(folder.resolve("values.yaml"), values);
        String text =
                new Helm(CHART).template().withName("our").withValuesFile(file).call();
        List<JsonNode> objects = new ArrayList<>();
        try (var read = new YAMLMapper().readerFor(JsonNode.class).<JsonNode>readValues(text)) {
            read.forEachRemaining(object -> {
                if (object.isObject()) {
                    objects.add(object);
                }
            });
        }
        return objects;
    }

    private static List<JsonNode> all(List<JsonNode> objects, String kind) {
        return objects.stream()
                .filter(object -> object.path("kind").asString().equals(kind))
                .toList();
    }

    private static JsonNode one(List<JsonNode> objects, String kind) {
        List<JsonNode> found = all(objects, kind);
        assertThat(found).as(kind).hasSize(1);
        return found.getFirst();
    }

    private static JsonNode pod(List<JsonNode> objects) {
        return one(objects, "StatefulSet").at("/spec/template/spec");
    }

    private static JsonNode container(List<JsonNode> objects) {
        return pod(objects).at("/containers/0");
    }

    private static List<String> texts(JsonNode list, String pointer) {
        return StreamSupport.stream(list.spliterator(), false)
                .map(node -> node.at(pointer).asString())
                .toList();
    }
}
