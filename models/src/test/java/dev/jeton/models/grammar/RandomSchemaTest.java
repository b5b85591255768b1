package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.Error;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SchemaRegistryConfig;
import com.networknt.schema.SpecificationVersion;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.json.JsonMapper;

/** Schemas that nobody thought of, against a validator. */
class RandomSchemaTest {

    /** How many; more are tried by {@code -Djeton.schemas}, others by {@code -Djeton.seed}. */
    private static final int SCHEMAS = Integer.getInteger("jeton.schemas", 250);

    private static final long SEED = Long.getLong("jeton.seed", 0);
    private static final int TEXTS = 6;

    private static final SchemaRegistryConfig ASSERTING =
            SchemaRegistryConfig.builder().formatAssertionsEnabled(true).build();

    @Test
    void shouldOnlyWriteWhatAValidatorTakes() {
        GuidedTexts texts = GuidedTexts.of(new Random(1), false);
        int written = 0;
        for (long seed = SEED; seed < SEED + SCHEMAS; seed++) {
            Random random = new Random(seed);
            Map<String, Object> schema = new RandomSchemas(random).next();
            Optional<Grammar> grammar = compiled(schema, texts);
            if (grammar.isEmpty()) {
                continue;
            }
            String text = JsonMapper.shared().writeValueAsString(schema);
            Schema validator = validator(text);
            for (int i = 0; i < TEXTS; i++) {
                Optional<String> answer = texts.write(grammar.get(), random);
                if (answer.isPresent()) {
                    written++;
                    List<Error> errors = validator.validate(answer.get(), InputFormat.JSON);
                    assertThat(errors)
                            .as("seed %d: %s of %s", seed, answer.get(), text)
                            .isEmpty();
                }
            }
        }
        assertThat(written).as("texts that were written to their ends").isGreaterThan(2 * SCHEMAS);
    }

    /** Empty where it says that it cannot be followed, as many contradict themselves. */
    private static Optional<Grammar> compiled(Map<String, Object> schema, GuidedTexts texts) {
        try {
            GrammarSpec spec = new GrammarSpec.JsonSchema(schema, true);
            return Optional.of(Grammar.compile(spec, texts.vocabulary(), false));
        } catch (GrammarException e) {
            return Optional.empty();
        }
    }

    private static Schema validator(String schema) {
        return SchemaRegistry.withDefaultDialect(
                        SpecificationVersion.DRAFT_2020_12, builder -> builder.schemaRegistryConfig(ASSERTING))
                .getSchema(schema, InputFormat.JSON);
    }
}
