package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.networknt.schema.Error;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SchemaRegistryConfig;
import com.networknt.schema.SpecificationVersion;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever is written under a schema is valid by a validator's reading of it, and what must be possible is. */
class JsonSchemaGrammarTest {

    private static final SchemaRegistryConfig ASSERTING =
            SchemaRegistryConfig.builder().formatAssertionsEnabled(true).build();

    private static Schema validator(String schema) {
        SchemaRegistry registry = SchemaRegistry.withDefaultDialect(
                SpecificationVersion.DRAFT_2020_12, builder -> builder.schemaRegistryConfig(ASSERTING));
        return registry.getSchema(schema, InputFormat.JSON);
    }

    private static Grammar grammar(String schema, GuidedTexts texts) {
        return Grammar.compile(
                new GrammarSpec.JsonSchema(GuidedTexts.json(schema), true), texts.vocabulary(), false, 8 << 20);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"type\":\"object\"}",
                "{\"type\":[\"string\",\"null\",\"boolean\"]}",
                "{\"type\":\"integer\"}",
                "{\"type\":\"number\"}",
                "{\"type\":\"integer\",\"minimum\":-17,\"maximum\":1203}",
                "{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":1}",
                "{\"type\":\"number\",\"minimum\":-1.25,\"exclusiveMaximum\":99.5,\"multipleOf\":0.25}",
                "{\"type\":\"integer\",\"multipleOf\":7,\"minimum\":50}",
                "{\"type\":\"string\",\"minLength\":2,\"maxLength\":5}",
                "{\"type\":\"string\",\"minLength\":3}",
                "{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}-\\\\d+$\",\"maxLength\":9}",
                "{\"type\":\"string\",\"pattern\":\"^(?:ab|é)*$\"}",
                "{\"type\":\"string\",\"format\":\"date-time\"}",
                "{\"type\":\"string\",\"format\":\"date\"}",
                "{\"type\":\"string\",\"format\":\"time\"}",
                "{\"type\":\"string\",\"format\":\"duration\"}",
                "{\"type\":\"string\",\"format\":\"hostname\"}",
                "{\"type\":\"string\",\"format\":\"ipv4\"}",
                "{\"type\":\"string\",\"format\":\"ipv6\"}",
                "{\"type\":\"string\",\"format\":\"uuid\"}",
                "{\"type\":\"string\",\"format\":\"uri\"}",
                "{\"enum\":[\"a\",1,2.5,null,true,{\"k\":[1,{}]},[],\"a\\\"b\\\\\"]}",
                "{\"enum\":[\"a\",1,\"bb\"],\"type\":\"string\",\"maxLength\":1}",
                "{\"const\":{\"x\":[1,2,{\"y\":null}]}}",
                "{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"maximum\":9,\"minimum\":0},\"minItems\":2,\"maxItems\":4}",
                "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"boolean\"},{\"type\":\"null\"}],\"items\":false,\"minItems\":1}",
                "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"boolean\"}],\"items\":{\"const\":1},\"minItems\":3}",
                "{\"type\":\"array\",\"items\":[{\"type\":\"boolean\"}],\"additionalItems\":false,\"$schema\":\"http://json-schema.org/draft-07/schema#\"}",
                "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":150},\"tags\":{\"type\":\"array\",\"items\":{\"enum\":[\"x\",\"y\"]},\"maxItems\":3}},\"required\":[\"name\"],\"additionalProperties\":false}",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1},\"ab\":{\"const\":2}},\"additionalProperties\":{\"type\":\"boolean\"}}",
                "{\"type\":\"object\",\"required\":[\"b\",\"a\"],\"properties\":{\"a\":{\"type\":\"null\"}}}",
                "{\"type\":\"object\",\"patternProperties\":{\"^n_\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":3}},\"additionalProperties\":{\"type\":\"null\"},\"properties\":{\"n_x\":{\"minimum\":2,\"type\":\"number\"}}}",
                "{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"cat\"},\"lives\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9}},\"required\":[\"kind\",\"lives\"],\"additionalProperties\":false},{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"dog\"}},\"required\":[\"kind\"],\"additionalProperties\":false}]}",
                "{\"type\":\"string\",\"anyOf\":[{\"maxLength\":2},{\"pattern\":\"^x+$\"}]}",
                "{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]},{\"properties\":{\"b\":{\"type\":\"null\"},\"a\":{\"minimum\":3,\"maximum\":5}}}]}",
                "{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"boolean\"},\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/node\"},{\"type\":\"null\"}]}},\"required\":[\"value\",\"next\"],\"additionalProperties\":false}}}",
                "{\"type\":\"object\",\"properties\":{\"children\":{\"type\":\"array\",\"items\":{\"$ref\":\"#\"},\"maxItems\":2}},\"required\":[\"children\"]}",
                "{\"$ref\":\"#/$defs/a~1b%20c\",\"minimum\":3,\"$defs\":{\"a/b c\":{\"type\":\"integer\",\"maximum\":5}}}",
                "{\"type\":\"object\",\"unevaluatedProperties\":false}",
                "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"null\"}],\"unevaluatedItems\":{\"type\":\"boolean\"}}",
                "{\"allOf\":[{\"anyOf\":[{\"properties\":{\"a\":{\"const\":1}}},{\"properties\":{\"b\":{\"const\":2}}}],\"unevaluatedProperties\":false}],\"type\":\"object\",\"properties\":{\"a\":true,\"c\":true}}",
                "{\"enum\":[[1],[1,2],[1,\"a\"],{\"a\":1},{\"a\":1,\"b\":2},{}],\"minItems\":2,\"items\":{\"type\":\"integer\"},\"required\":[\"a\"],\"properties\":{\"a\":true},\"additionalProperties\":false}",
                "{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"boolean\"}],\"anyOf\":[{\"minimum\":3,\"type\":\"integer\"},{\"const\":true}]}"
            })
    void shouldOnlyWriteWhatAValidatorTakes(String schema) {
        long seed = schema.hashCode();
        Random random = new Random(seed);
        GuidedTexts texts = GuidedTexts.of(random, false);
        Grammar grammar = grammar(schema, texts);
        Schema validator = validator(schema);

        int finished = 0;
        for (int i = 0; i < 60; i++) {
            Optional<String> text = texts.write(grammar, random);
            if (text.isPresent()) {
                finished++;
                List<Error> errors = validator.validate(text.get(), InputFormat.JSON);
                assertThat(errors)
                        .as("seed %d: %s of %s", seed, text.get(), schema)
                        .isEmpty();
            }
        }
        assertThat(finished).as("seed %d: texts that came to an end", seed).isGreaterThan(30);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}~{\"a\": [1, {\"b\": null}], \"c\": \"d\\u00e9\\uD83D\\uDE00\"}",
                "{}~[]",
                "{}~ -1.5e+10",
                "{\"type\":\"object\"}~{\n  \"a\" : {\n    \"b\" : [ ]\n  }\n}",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"integer\"}}}~{\"b\":3}",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"integer\"}}}~{}",
                "{\"type\":\"object\",\"properties\":{\"a\":true},\"additionalProperties\":true}~{\"ab\":1,\"\":2}",
                "{\"type\":\"string\",\"maxLength\":3}~\"\\\"\\\\é\"",
                "{\"type\":\"string\",\"pattern\":\"b\"}~\"abc\"",
                "{\"type\":\"number\",\"minimum\":0}~0.0",
                "{\"type\":\"number\",\"minimum\":0,\"maximum\":0.05}~0.05",
                "{\"type\":\"number\",\"minimum\":0,\"maximum\":0.05}~0.0499",
                "{\"type\":\"integer\",\"exclusiveMinimum\":-3}~-2",
                "{\"type\":\"string\",\"format\":\"date\"}~\"2024-02-29\"",
                "{\"type\":\"string\",\"format\":\"email\"}~\"first.last+tag@mail.example.org\"",
                "{\"type\":\"string\",\"format\":\"unknown\"}~\"x\"",
                "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}~[1, 2,3]",
                "{\"enum\":[1.5,\"ä\"]}~\"ä\"",
                "{\"enum\":[1e25,1e-20]}~1.0E+25",
                "{\"type\":\"object\",\"propertyNames\":{\"type\":\"string\"},\"additionalProperties\":{\"type\":\"number\"}}~{\"a\":1}",
                "{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"a\",\"b\"]}}~{\"b\":[],\"a\":1}",
                "{\"type\":\"string\",\"maxLength\":65535}~\"abc\"",
                "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"maxItems\":1000000}~[1,2]",
                "{\"$ref\":\"#/$defs/A\",\"$defs\":{\"A\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/A\",\"type\":\"object\"}}}}}~{\"a\":{\"a\":{}}}",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"allOf\":[{\"$ref\":\"#\"}],\"description\":\"x\",\"default\":null}}}~{\"a\":{\"a\":{}}}",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"object\",\"null\"],\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}}}~{\"a\":{\"a\":null}}",
                "{\"type\":\"object\",\"unevaluatedProperties\":true}~{\"a\":1}",
                "{\"type\":[\"integer\",\"null\"]}~null"
            })
    void shouldAllowWhatASchemaMeans(String pair) {
        String schema = pair.substring(0, pair.indexOf('~'));
        String text = pair.substring(schema.length() + 1);
        Random random = new Random(7);
        GuidedTexts texts = GuidedTexts.of(random, false);
        assertThat(texts.allows(grammar(schema, texts), text, random)).as(pair).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}~{\"a\":01}",
                "{}~[1,]",
                "{}~{\"a\" 1}",
                "{}~\"\\uD83D\"",
                "{\"type\":\"object\",\"properties\":{\"a\":true}}~{\"ab\":1}",
                "{\"type\":\"object\",\"properties\":{\"a\":true,\"b\":true},\"required\":[\"a\"]}~{\"b\":1}",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}},\"additionalProperties\":true}~{\"\\u0061\":1}",
                "{\"type\":\"string\",\"format\":\"email\"}~\"a@b\"",
                "{\"type\":\"string\",\"format\":\"date\"}~\"2023-02-29\"",
                "{\"type\":\"number\",\"minimum\":0,\"maximum\":0.05}~0.0501",
                "{\"type\":\"number\",\"minimum\":0}~-0",
                "{\"type\":\"string\",\"maxLength\":3}~\"abcd\"",
                "{\"type\":\"object\"}~{\n\n\"a\":1}"
            })
    void shouldNotAllowAnythingElse(String pair) {
        String schema = pair.substring(0, pair.indexOf('~'));
        String text = pair.substring(schema.length() + 1);
        Random random = new Random(7);
        GuidedTexts texts = GuidedTexts.of(random, false);
        assertThat(texts.allows(grammar(schema, texts), text, random)).as(pair).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "false~contradicts itself",
                "{\"type\":\"text\"}~schema.type: 'text' is no type",
                "{\"type\":[]}~contradicts itself",
                "{\"type\":\"integer\",\"minimum\":3,\"maximum\":2}~contradicts itself",
                "{\"type\":\"object\",\"properties\":{\"a\":false},\"required\":[\"a\"]}~contradicts itself",
                "{\"$ref\":\"#\"}~refers to itself",
                "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/a\"},{\"type\":\"null\"}]}}}~leads back to itself",
                "{\"$ref\":\"#/$defs/x\"}~names nothing",
                "{\"$ref\":\"http://example.com/a\"}~not within the schema",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"not\":{}}}}~schema.properties.a: 'not' cannot be enforced",
                "{\"type\":\"array\",\"uniqueItems\":true}~'uniqueItems' cannot be enforced",
                "{\"type\":\"string\",\"pattern\":\"(?=a)\"}~schema: the regular expression '(?=a)' cannot be followed",
                "{\"type\":\"string\",\"minLength\":-1}~schema.minLength: must be a whole number",
                "{\"type\":\"string\",\"minLength\":1000000}~more than 20000 states",
                "{\"type\":\"number\",\"multipleOf\":0}~'multipleOf' must be above 0",
                "{\"type\":\"number\",\"multipleOf\":123456789}~'multipleOf' 123456789 cannot be enforced",
                "{\"required\":\"a\"}~schema.required: must be an array",
                "{\"properties\":[]}~schema.properties: must be an object",
                "{\"items\":3}~schema.items: a schema is an object or a Boolean",
                "{\"patternProperties\":{\"a\":true,\"b\":true}}~a key may match two of the patterns",
                "{\"allOf\":[{\"$ref\":\"#\"}]}~too deep",
                "{\"anyOf\":[{\"$ref\":\"#\"}],\"type\":\"string\"}~too deep",
                "{\"anyOf\":[{\"$ref\":\"#\"}],\"unevaluatedProperties\":false}~too deep",
                "{\"enum\":[[[1]]],\"items\":{\"anyOf\":[{\"$ref\":\"#/items\"}],\"type\":\"array\"}}~too deep"
            })
    void shouldSayWhereASchemaCannotBeFollowed(String pair) {
        String schema = pair.substring(0, pair.indexOf('~'));
        String message = pair.substring(schema.length() + 1);
        GuidedTexts texts = GuidedTexts.of(new Random(7), false);
        assertThatThrownBy(() -> grammar(schema, texts))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining(message);
    }

    @Test
    void shouldLeaveOutWhatCannotBeEnforcedWhereItIsNotStrict() {
        Random random = new Random(7);
        GuidedTexts texts = GuidedTexts.of(random, false);
        Object schema = GuidedTexts.json("{\"type\":\"array\",\"items\":{\"const\":1},\"uniqueItems\":true}");
        Grammar grammar = Grammar.compile(new GrammarSpec.JsonSchema(schema, false), texts.vocabulary(), false);
        assertThat(texts.allows(grammar, "[1,1]", random)).isTrue();
    }
}
