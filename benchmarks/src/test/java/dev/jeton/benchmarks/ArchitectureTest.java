package dev.jeton.benchmarks;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The arrows of ARCHITECTURE.md point one way only. */
class ArchitectureTest {

    private static final JavaClasses JETON = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.jeton");

    @Test
    void seesEveryModule() {
        Set<String> modules = new TreeSet<>();
        for (JavaClass c : JETON) {
            modules.add(c.getPackageName().split("\\.")[2]);
        }
        assertThat(modules).contains("kvcache", "models", "scheduler", "server", "benchmarks");
    }

    @Test
    void kvcacheDependsOnNothing() {
        only("dev.jeton.kvcache..", "dev.jeton.kvcache..");
    }

    @Test
    void nativesDependOnNothing() {
        classes()
                .that()
                .resideInAPackage("dev.jeton.natives..")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("dev.jeton.natives..", "java..", "org.jspecify..")
                .allowEmptyShould(true)
                .check(JETON);
    }

    @Test
    void theEnginePortDependsOnNothing() {
        only("dev.jeton.models.engine..", "dev.jeton.models.engine..");
    }

    @Test
    void modelsKnowOnlyNatives() {
        jetonOnly("dev.jeton.models..", "dev.jeton.models..", "dev.jeton.natives..");
    }

    @Test
    void theSchedulerKnowsOnlyTheBlockPoolAndTheEnginePort() {
        jetonOnly("dev.jeton.scheduler..", "dev.jeton.scheduler..", "dev.jeton.kvcache..", "dev.jeton.models.engine..");
    }

    @Test
    void accountingKnowsOnlyTheSchedulerAndTheEnginePort() {
        jetonOnly(
                "dev.jeton.accounting..",
                "dev.jeton.accounting..",
                "dev.jeton.scheduler..",
                "dev.jeton.models.engine..");
    }

    @Test
    void nothingKnowsTheServerButBenchmarks() {
        noClasses()
                .that()
                .resideOutsideOfPackages("dev.jeton.server..", "dev.jeton.benchmarks..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.jeton.server..", "dev.jeton.benchmarks..")
                .check(JETON);
    }

    @Test
    void onlyTheServerAndBenchmarksKnowNetty() {
        noClasses()
                .that()
                .resideOutsideOfPackages("dev.jeton.server..", "dev.jeton.benchmarks..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.netty..")
                .check(JETON);
    }

    @Test
    void onlyFolderTokenizerAndTheTorchEngineKnowDjl() {
        noClasses()
                .that()
                .resideInAnyPackage("dev.jeton.models..", "dev.jeton.server..", "dev.jeton.scheduler..")
                .and()
                .doNotHaveSimpleName("FolderTokenizer")
                .and()
                .resideOutsideOfPackage("dev.jeton.models.torch..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("ai.djl..")
                .check(JETON);
    }

    @Test
    void whatEncodersShareKnowsNoneOfTheEnginesThatUseIt() {
        jetonOnly(
                "dev.jeton.models.encoder..",
                "dev.jeton.models.encoder..",
                "dev.jeton.models",
                "dev.jeton.models.engine..",
                "dev.jeton.models.rows..");
    }

    @Test
    void onlyTheOnnxEngineAndBenchmarksKnowOnnxRuntime() {
        noClasses()
                .that()
                .resideOutsideOfPackages("dev.jeton.models.onnx..", "dev.jeton.benchmarks..")
                .or()
                .haveSimpleName("OnnxEngineProvider")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("ai.onnxruntime..")
                .check(JETON);
    }

    private static void only(String from, String... to) {
        classes()
                .that()
                .resideInAPackage(from)
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(with(to, "java..", "org.jspecify.."))
                .check(JETON);
    }

    /** Restricts what of Jeton itself a package knows; libraries are another question. */
    private static void jetonOnly(String from, String... to) {
        noClasses()
                .that()
                .resideInAPackage(from)
                .should()
                .dependOnClassesThat(JavaClass.Predicates.resideInAPackage("dev.jeton..")
                        .and(com.tngtech.archunit.base.DescribedPredicate.not(
                                JavaClass.Predicates.resideInAnyPackage(to))))
                .allowEmptyShould(true)
                .check(JETON);
    }

    private static String[] with(String[] packages, String... more) {
        String[] all = java.util.Arrays.copyOf(packages, packages.length + more.length);
        System.arraycopy(more, 0, all, packages.length, more.length);
        return all;
    }
}
