package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.jeton.server.testing.PlainTemplate;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class BadInputTest {

    private static final String TOOL = "{'type':'function','function':{'name':'a'}}";

    private static final String COMPLETIONS = "/v1/completions";
    private static final String CHAT = "/v1/chat/completions";

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder().contextLength(256).start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @AfterEach
    void shouldStillServe() {
        assertThat(server.complete("'max_tokens':2").status()).isEqualTo(200);
    }

    /** Fields added to a sound completion request; the parameter named; a part of the message. */
    static Stream<Arguments> completionFields() {
        return Stream.of(
                arguments("'max_tokens':-1", "max_tokens", "between 1 and"),
                arguments("'max_tokens':0", "max_tokens", "between 1 and"),
                arguments("'max_tokens':1000000000", "max_tokens", "between 1 and 256"),
                arguments("'max_tokens':255", "max_tokens", "context has 256 tokens"),
                arguments("'max_tokens':'ten'", "max_tokens", "must be an integer, but is a string"),
                arguments("'max_tokens':1.5", "max_tokens", "must be an integer"),
                arguments("'n':1000000", "n", "between 1 and 128"),
                arguments("'n':0", "n", "between 1 and 128"),
                arguments("'temperature':-1", "temperature", "between 0"),
                arguments("'temperature':'NaN'", "temperature", "must be a number, but is a string"),
                arguments("'temperature':1e999", null, "too large"),
                arguments("'temperature':NaN", null, "invalid JSON"),
                arguments("'top_p':1.1", "top_p", "between 0"),
                arguments("'top_k':-2", "top_k", "between -1"),
                arguments("'min_p':2", "min_p", "between 0"),
                arguments("'presence_penalty':3", "presence_penalty", "between -2"),
                arguments("'frequency_penalty':-3", "frequency_penalty", "between -2"),
                arguments("'repetition_penalty':0", "repetition_penalty", "between 0.01"),
                arguments("'seed':'x'", "seed", "must be an integer"),
                arguments("'seed':99999999999999999999", "seed", "between"),
                arguments("'stop':[" + strings(100) + "]", "stop", "100 strings, at most 16"),
                arguments("'stop':5", "stop", "a string or an array of strings"),
                arguments("'stop':['a',5]", "stop[1]", "must be a string, but is an integer"),
                arguments("'stop':''", "stop[0]", "between 1 and"),
                arguments("'stop_token_ids':[100000]", "stop_token_ids[0]", "no token id of this model"),
                arguments("'stop_token_ids':[-1]", "stop_token_ids[0]", "no token id of this model"),
                arguments("'logit_bias':{'100000':1}", "logit_bias.100000", "no token id"),
                arguments("'logit_bias':{'x':1}", "logit_bias.x", "no token id"),
                arguments("'logit_bias':{'5':101}", "logit_bias.5", "between -100"),
                arguments("'logit_bias':{'5':'a'}", "logit_bias.5", "must be a number"),
                arguments("'logit_bias':[]", "logit_bias", "must be an object"),
                arguments("'logprobs':21", "logprobs", "between 0 and 20"),
                arguments("'stream':'yes'", "stream", "must be a boolean"),
                arguments("'stream_options':{}", "stream_options", "only allowed when"),
                arguments("'service_tier':'priority'", "service_tier", "must be 'auto', 'default' or 'flex'"),
                arguments("'service_tier':1", "service_tier", "must be a string"),
                arguments("'min_tokens':5,'max_tokens':3", "min_tokens", "more than"),
                arguments("'suffix':'end'", "suffix", "not supported yet"),
                arguments("'best_of':3", "best_of", "not supported yet"),
                arguments("'response_format':{'type':'xml'}", "response_format.type", "'text', 'json_object' or"),
                arguments("'response_format':{}", "response_format.type", "is missing"),
                arguments("'response_format':[]", "response_format", "must be an object"),
                arguments("'guided_regex':'(a'", "guided_regex", "a group is not closed"),
                arguments("'guided_regex':5", "guided_regex", "must be a string"),
                arguments("'guided_choice':[]", "guided_choice", "at least one"),
                arguments("'guided_choice':['a',1]", "guided_choice[1]", "must be a string"),
                arguments("'guided_choice':['']", "guided_choice[0]", "not empty"),
                arguments("'guided_json':'{'", "guided_json", "is no JSON"),
                arguments("'guided_json':5", "guided_json", "a schema is an object"),
                arguments("'guided_json':{'not':{}}", "guided_json", "'not' cannot be enforced"),
                arguments("'guided_regex':'a','guided_choice':['b']", "guided_choice", "exclude one another"),
                arguments("'structured_outputs':{'grammar':'x'}", "structured_outputs.grammar", "a rule is expected"),
                arguments("'structured_outputs':{'choice':[1]}", "structured_outputs.choice[0]", "must be a string"),
                arguments("'allowed_token_ids':[5]", "allowed_token_ids", "not supported yet"),
                arguments("'bad_words':['a']", "bad_words", "not supported yet"),
                arguments("'truncate_prompt_tokens':2", "truncate_prompt_tokens", "not supported yet"),
                arguments(
                        "'grammar':'root ::= x'",
                        "grammar",
                        "'x' is not defined (at line 1, character 10 of the grammar)"),
                arguments("'ebnf':'root ::= [a] root'", "ebnf", "'root' ever ends"),
                arguments("'include_stop_str_in_output':true", "include_stop_str_in_output", "not supported yet"),
                arguments("'return_token_ids':true", "return_token_ids", "not supported yet"),
                arguments("'return_tokens_as_token_ids':true", "return_tokens_as_token_ids", "not supported yet"),
                arguments("'guided_grammar':5", "guided_grammar", "must be a string"),
                arguments("'guided_grammar':'root ::= ('", "guided_grammar", "a group is not closed"),
                arguments("'guided_grammar':'x','guided_regex':'a'", "guided_grammar", "exclude one another"),
                arguments("'n':1,'n':2", null, "Duplicate"));
    }

    private static String strings(int count) {
        return IntStream.range(0, count).mapToObj(i -> "'s" + i + "'").collect(Collectors.joining(","));
    }

    @ParameterizedTest
    @MethodSource("completionFields")
    void shouldRefuseACompletionAndNameTheParameter(String fields, String param, String message) {
        assertInvalid(server.complete(fields), param, message);
    }

    /** Whole completion requests. */
    static Stream<Arguments> completions() {
        String model = "{'model':'test-model',";
        return Stream.of(
                arguments(model + "'prompt':''}", "prompt", "empty"),
                arguments(model + "'prompt':[]}", "prompt", "empty"),
                arguments(model + "'prompt':[[]]}", "prompt[0]", "empty"),
                arguments(model + "'prompt':['a','']}", "prompt[1]", "empty"),
                arguments("{'model':'test-model'}", "prompt", "empty or missing"),
                arguments(model + "'prompt':7}", "prompt", "but is an integer"),
                arguments(model + "'prompt':[1,'a']}", "prompt[1]", "must be a token id, but is a string"),
                arguments(model + "'prompt':[100000]}", "prompt[0]", "no token id of this model"),
                arguments(model + "'prompt':[[-5]]}", "prompt[0][0]", "no token id of this model"),
                arguments(model + "'prompt':[1.5]}", "prompt[0]", "must be a token id"),
                arguments(model + "'prompt':'" + "x".repeat(300) + "'}", "prompt", "context has 256 tokens"),
                arguments(model + "'prompt':'" + "x".repeat(100_000) + "'}", "prompt", "context has 256 tokens"),
                arguments(model + "'prompt':[" + strings(129) + "]}", "prompt", "129 entries, at most 128"),
                arguments("{'prompt':'hi'}", "model", "'model' is missing"),
                arguments("{'model':5,'prompt':'hi'}", "model", "must be a string, but is an integer"),
                arguments("[]", null, "must be a JSON object"),
                arguments("", null, "body is empty"),
                arguments("{'model':", null, "invalid JSON"),
                arguments("{'model':'test-model'} x", null, "invalid JSON"),
                arguments("not json", null, "invalid JSON"));
    }

    @ParameterizedTest
    @MethodSource("completions")
    void shouldRefuseAWholeCompletion(String json, String param, String message) {
        assertInvalid(server.post(COMPLETIONS, json), param, message);
    }

    /** Messages of a chat. */
    static Stream<Arguments> messages() {
        return Stream.of(
                arguments("[]", "messages", "empty"),
                arguments("'hi'", "messages", "must be an array"),
                arguments("['hi']", "messages[0]", "must be an object, but is a string"),
                arguments("[{'content':'hi'}]", "messages[0].role", "is missing"),
                arguments("[{'role':'alien','content':'hi'}]", "messages[0].role", "must be one of"),
                arguments("[{'role':'user'}]", "messages[0].content", "is missing"),
                arguments("[{'role':'user','content':5}]", "messages[0].content", "a string or an array"),
                arguments("[{'role':'user','content':[{'type':'text'}]}]", "messages[0].content[0].text", "missing"),
                arguments(
                        "[{'role':'user','content':[{'type':'image_url','image_url':{'url':'x'}}]}]",
                        "messages[0].content[0].type",
                        "only parts of type 'text' are supported yet"),
                arguments(
                        "[{'role':'user','content':[{'type':'input_audio'}]}]",
                        "messages[0].content[0].type",
                        "only parts of type 'text' are supported yet"),
                arguments(
                        "[{'role':'user','content':'" + PlainTemplate.RAISE + "'}]",
                        "messages",
                        "roles must alternate"),
                arguments("[{'role':'user','content':'" + PlainTemplate.BOMB + "'}]", "messages", "more than 1000000"),
                arguments("[{'role':'user','content':'" + "x".repeat(300) + "'}]", "messages", "context has 256"));
    }

    @ParameterizedTest
    @MethodSource("messages")
    void shouldRefuseMessagesAndNameTheField(String messages, String param, String message) {
        assertInvalid(server.post(CHAT, "{'model':'test-model','messages':" + messages + "}"), param, message);
    }

    /** Fields added to a sound chat. */
    static Stream<Arguments> chatFields() {
        return Stream.of(
                arguments("'max_completion_tokens':-5", "max_completion_tokens", "between 1"),
                arguments("'max_completion_tokens':254", "max_completion_tokens", "context has 256 tokens"),
                arguments("'max_tokens':254", "max_tokens", "context has 256 tokens"),
                arguments("'top_logprobs':2", "top_logprobs", "only allowed when"),
                arguments("'chat_template':'{{ messages }}'", "chat_template", "not supported yet"),
                arguments("'documents':[{'text':'x'}]", "documents", "not supported yet"),
                arguments("'logprobs':true,'top_logprobs':21", "top_logprobs", "between 0 and 20"),
                arguments("'logprobs':1", "logprobs", "must be a boolean"),
                arguments("'tool_choice':'required'", "tool_choice", "there are no 'tools'"),
                arguments("'tool_choice':'maybe'", "tool_choice", "'none', 'auto', 'required' or a function"),
                arguments("'tool_choice':5", "tool_choice", "a string or an object"),
                arguments("'tool_choice':{'type':'function'}", "tool_choice.function", "is missing"),
                arguments("'tool_choice':{'type':'allowed_tools'}", "tool_choice.type", "other than 'function'"),
                arguments(
                        "'tool_choice':{'type':'function','function':{'name':'f'}}",
                        "tool_choice.function.name",
                        "none of the 'tools'"),
                arguments(
                        "'tool_choice':'required','tools':[{'type':'function','function':{'name':'f'}}]",
                        "tool_choice",
                        "how 'test-model' calls tools is not known"),
                arguments("'tools':[{'type':'web'}]", "tools[0].type", "not supported"),
                arguments("'tools':[{'type':'function'}]", "tools[0].function", "is missing"),
                arguments("'tools':[{'type':'function','function':{}}]", "tools[0].function.name", "is missing"),
                arguments(
                        "'tools':[{'type':'function','function':{'name':'a b'}}]",
                        "tools[0].function.name",
                        "letters, digits"),
                arguments("'tools':[" + TOOL + "," + TOOL + "]", "tools[1].function.name", "name of a tool before it"),
                arguments(
                        "'tools':[{'type':'function','function':{'name':'a','description':5}}]",
                        "tools[0].function.description",
                        "must be a string"),
                arguments(
                        "'tools':[{'type':'function','function':{'name':'a','strict':'yes'}}]",
                        "tools[0].function.strict",
                        "must be a boolean"),
                arguments(
                        "'tools':[{'type':'function','function':{'name':'a','parameters':[]}}]",
                        "tools[0].function.parameters",
                        "must be an object"),
                arguments(
                        "'tools':[{'type':'function','function':{'name':'a','parameters':{'type':'string'}}}]",
                        "tools[0].function.parameters.type",
                        "must be 'object'"),
                arguments(
                        "'tools':[{'type':'function','function':{'name':'a','parameters':{'properties':5}}}]",
                        "tools[0].function.parameters.properties",
                        "must be an object"),
                arguments("'tools':[" + (TOOL + ",").repeat(128) + TOOL + "]", "tools", "129 tools, at most 128"),
                arguments(
                        "'tools':[{'type':'function','function':{'name':'a','description':'" + "x".repeat(300_000)
                                + "'}}]",
                        "tools",
                        "bytes, at most 262144"),
                arguments("'parallel_tool_calls':'no'", "parallel_tool_calls", "must be a boolean"),
                arguments("'functions':[]", "functions", "not supported yet"),
                arguments("'modalities':['text','audio']", "modalities", "not supported yet"),
                arguments("'audio':{}", "audio", "not supported yet"),
                arguments("'chat_template_kwargs':{'messages':[]}", "chat_template_kwargs.messages", "itself"),
                arguments("'response_format':{'type':'json_schema'}", "response_format.json_schema", "is missing"),
                arguments(
                        "'response_format':{'type':'json_schema','json_schema':{'name':'x'}}",
                        "response_format.json_schema.schema",
                        "is missing"),
                arguments(
                        "'response_format':{'type':'json_schema','json_schema':{'schema':{'type':'text'}}}",
                        "response_format.json_schema.schema",
                        "schema.type: 'text' is no type"),
                arguments("'continue_final_message':true", "continue_final_message", "not supported yet"));
    }

    @ParameterizedTest
    @MethodSource("chatFields")
    void shouldRefuseAChatAndNameTheParameter(String fields, String param, String message) {
        assertInvalid(server.chat(fields), param, message);
    }

    @Test
    void shouldRefuseAChatWithoutMessages() {
        assertInvalid(server.post(CHAT, "{'model':'test-model'}"), "messages", "is missing");
    }

    @Test
    void shouldNotKnowAnUnknownModel() {
        Answer answer = server.post(COMPLETIONS, "{'model':'gpt-9','prompt':'hi'}");
        assertThat(answer.status()).isEqualTo(404);
        assertThat(answer.at("error.code")).isEqualTo("model_not_found");
        assertThat(answer.at("error.param")).isEqualTo("model");
    }

    @Test
    void shouldIgnoreAnUnknownField() {
        assertThat(server.complete("'no_such_field':{'a':[1]}").status()).isEqualTo(200);
    }

    @Test
    void shouldRefuseInvalidUtf8() {
        byte[] body = "{\"model\":\"test-model\",\"prompt\":\"a?b\"}".getBytes(StandardCharsets.UTF_8);
        body[new String(body, StandardCharsets.UTF_8).indexOf('?')] = (byte) 0xff;
        assertInvalid(server.post(COMPLETIONS, body), null, "not valid UTF-8");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\\ud800", "\\udc00x", "\\ud83d\\ud83d\\ude00"})
    void shouldRefuseALoneSurrogate(String escape) {
        assertInvalid(
                server.post(COMPLETIONS, "{'model':'test-model','prompt':'" + escape + "'}"), null, "lone surrogate");
    }

    @ParameterizedTest
    @ValueSource(strings = {"[", "{'a':"})
    void shouldRefuseAHundredThousandNestedBrackets(String bracket) {
        assertInvalid(server.post(COMPLETIONS, bracket.repeat(100_000)), null, "past a bound");
    }

    @Test
    void shouldRefuseAnUnknownPath() {
        Answer answer = server.get("/v2/everything");
        assertThat(answer.status()).isEqualTo(404);
        assertThat(answer.at("error.message")).asString().contains("/v2/everything");
    }

    @Test
    void shouldRefuseAWrongMethod() {
        Answer answer = server.get(COMPLETIONS);
        assertThat(answer.status()).isEqualTo(405);
        assertThat(answer.at("error.code")).isEqualTo("method_not_allowed");
        assertThat(answer.header("allow")).isEqualTo("POST");
    }

    @Test
    void shouldTellWhoSendsACompressedBodyWhyItIsNotRead() {
        Answer answer = server.send(server.request(COMPLETIONS)
                .header("content-encoding", "gzip")
                .POST(HttpRequest.BodyPublishers.ofByteArray(new byte[] {0x1f, (byte) 0x8b})));
        assertThat(answer.status()).isEqualTo(415);
        assertThat(answer.at("error.message")).asString().contains("'gzip'");
        assertThat(answer.header("accept-encoding")).isEqualTo("identity");
    }

    @Test
    void shouldReadABodyThatSaysThatItIsNotCompressed() {
        Answer answer = server.send(server.request(COMPLETIONS)
                .header("content-encoding", "identity")
                .POST(HttpRequest.BodyPublishers.ofString("{\"model\":\"test-model\",\"prompt\":\"hi\"}")));
        assertThat(answer.status()).isEqualTo(200);
    }

    @Test
    void shouldTakeAFlagThatAsksForNothing() {
        assertThat(server.complete("'include_stop_str_in_output':false,'max_tokens':2")
                        .status())
                .isEqualTo(200);
    }

    @Test
    void shouldRefuseARequestThatTheCacheCanNeverHold() {
        try (TestServer small = TestServer.builder().blocks(4).start()) {
            Answer answer = small.post(COMPLETIONS, "{'model':'test-model','prompt':'" + "x".repeat(100) + "'}");
            assertThat(answer.status()).as(answer.body()).isEqualTo(400);
            assertThat(answer.at("error.message")).asString().contains("context");
            assertThat(small.complete("'max_tokens':2").status()).isEqualTo(200);
        }
    }

    @Test
    void shouldRefuseMoreContinuationsThanTheCacheCanHold() {
        try (TestServer small = TestServer.builder().blocks(4).start()) {
            Answer answer = small.complete("'n':100");
            assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        }
    }

    @Test
    void shouldRefuseAChatOfAModelWithoutATemplate() {
        try (TestServer plain = TestServer.builder().withoutTemplate().start()) {
            assertInvalid(plain.chat(""), "model", "no chat template");
        }
    }

    private static void assertInvalid(Answer answer, String param, String message) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.at("error.type")).isEqualTo("invalid_request_error");
        assertThat(answer.at("error.param")).isEqualTo(param);
        assertThat(answer.at("error.message")).asString().contains(message);
    }
}
