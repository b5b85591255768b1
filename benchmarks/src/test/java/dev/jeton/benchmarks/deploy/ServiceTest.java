package dev.jeton.benchmarks.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What the unit for systemd names is there where its instructions say that it is. */
class ServiceTest {

    private static final Pattern INSTALLED = Pattern.compile("/opt/jeton/([\\w./-]*\\w)");
    private static final Pattern PACKED = Pattern.compile("\"\\$home/([\\w./-]+)\"");

    private static Set<String> named(Pattern pattern, String file) {
        return pattern.matcher(DeployFiles.text(DeployFiles.HOME.resolve(file)))
                .results()
                .map(found -> found.group(1))
                .collect(Collectors.toSet());
    }

    @Test
    void namesOnlyFilesThatTheDistributionHas() {
        Set<String> packed = named(PACKED, "deploy/make-distribution");

        assertThat(named(INSTALLED, "deploy/systemd/jeton.service"))
                .isNotEmpty()
                .allSatisfy(file -> {
                    assertThat(DeployFiles.HOME.resolve(file)).satisfies(Files::exists);
                    assertThat(packed).anyMatch(part -> file.equals(part) || file.startsWith(part + "/"));
                });
    }
}
