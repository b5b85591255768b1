package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.jeton.server.testing.PlainTemplate;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ResponsesBadInputTest {

    private static final String TOOL = "{'type':'function','name':'a'}";

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .contextLength(256)
                .toolCallParser("hermes")
                .set("limits.max-messages", "4")
                .set("limits.max-tools", "2")
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @AfterEach
    void shouldStillServe() {
        assertThat(server.post("/v1/responses", "{'model':'test-model','input':'hi'}")
                        .status())
                .isEqualTo(200);
    }

    private static String pairs(int count) {
        return IntStream.range(0, count).mapToObj(i -> "'k" + i + "':'v'").collect(Collectors.joining(","));
    }

    /** Fields added to a sound request; the parameter named; a part of the message. */
    static Stream<Arguments> fields() {
        return Stream.of(
                arguments("'max_output_tokens':0", "max_output_tokens", "between 1 and 256"),
                arguments("'max_output_tokens':255", "max_output_tokens", "context has 256 tokens"),
                arguments("'max_output_tokens':'x'", "max_output_tokens", "must be an integer"),
                arguments("'max_tokens':5", "max_tokens", "here it is 'max_output_tokens'"),
                arguments("'max_completion_tokens':5", "max_completion_tokens", "here it is 'max_output_tokens'"),
                arguments("'messages':[]", "messages", "here it is 'input'"),
                arguments("'response_format':{'type':'text'}", "response_format", "here it is 'text.format'"),
                arguments("'logprobs':true", "logprobs", "here it is 'include'"),
                arguments("'n':2", "n", "between 1 and 1"),
                arguments("'temperature':-1", "temperature", "between 0"),
                arguments("'top_p':2", "top_p", "between 0"),
                arguments("'top_logprobs':3", "top_logprobs", "only allowed where 'include' has"),
                arguments(
                        "'include':['message.output_text.logprobs'],'top_logprobs':21",
                        "top_logprobs",
                        "between 0 and 20"),
                arguments("'include':['thoughts']", "include[0]", "must be one of"),
                arguments("'include':[5]", "include[0]", "must be one of"),
                arguments("'include':'x'", "include", "must be an array"),
                arguments("'background':'x'", "background", "must be a boolean"),
                arguments("'prompt':{'id':'p'}", "prompt", "not supported"),
                arguments("'conversation':'c'", "conversation", "previous_response_id"),
                arguments("'context_management':[]", "context_management", "not supported"),
                arguments("'max_tool_calls':0", "max_tool_calls", "between 1"),
                arguments("'continue_final_message':true", "continue_final_message", "not supported"),
                arguments("'chat_template_kwargs':{'messages':[]}", "chat_template_kwargs.messages", "of the request"),
                arguments("'thinking_token_budget':5", "thinking_token_budget", "engine.reasoning-parser"),
                arguments("'truncation':'middle'", "truncation", "disabled, auto"),
                arguments("'stream':'yes'", "stream", "must be a boolean"),
                arguments("'stream_options':{}", "stream_options", "only allowed when"),
                arguments("'service_tier':'priority'", "service_tier", "must be 'auto'"),
                arguments("'store':'yes'", "store", "must be a boolean"),
                arguments("'previous_response_id':5", "previous_response_id", "must be a string"),
                arguments("'previous_response_id':'resp_x'", "previous_response_id", "no response 'resp_x'"),
                arguments("'instructions':5", "instructions", "must be a string"),
                arguments("'metadata':5", "metadata", "must be an object"),
                arguments("'metadata':{'a':5}", "metadata.a", "a string of at most 512"),
                arguments("'metadata':{'a':'" + "v".repeat(513) + "'}", "metadata.a", "a string of at most 512"),
                arguments("'metadata':{'" + "k".repeat(65) + "':'v'}", "metadata", "65 characters, at most 64"),
                arguments("'metadata':{" + pairs(17) + "}", "metadata", "17 pairs, at most 16"),
                arguments("'metadata':{'task':'!'}", "metadata.task", "letters, digits"),
                arguments("'user':'" + "u".repeat(513) + "'", "user", "513 characters, at most 512"),
                arguments("'safety_identifier':5", "safety_identifier", "must be a string"),
                arguments("'text':'json'", "text", "must be an object"),
                arguments("'text':{'verbosity':'chatty'}", "text.verbosity", "low, medium, high"),
                arguments("'text':{'format':{'type':'xml'}}", "text.format.type", "'json_schema', but is 'xml'"),
                arguments("'text':{'format':{'type':'json_schema','name':'n'}}", "text.format.schema", "is missing"),
                arguments("'text':{'format':{'type':'json_schema','schema':{}}}", "text.format.name", "is missing"),
                arguments(
                        "'text':{'format':{'type':'json_schema','name':'n','strict':true,'schema':{'not':{}}}}",
                        "text.format.schema",
                        "cannot be enforced"),
                arguments(
                        "'text':{'format':{'type':'json_object'}},'guided_regex':'a'",
                        "guided_regex",
                        "exclude one another"),
                arguments("'reasoning':{'summary':'long'}", "reasoning.summary", "auto, concise, detailed"),
                arguments("'tools':[{'type':'web_search'}]", "tools[0].type", "'web_search'"),
                arguments("'tools':[{'type':'mcp','server_label':'x'}]", "tools[0].type", "'mcp'"),
                arguments("'tools':[{'type':'function'}]", "tools[0].name", "is missing"),
                arguments("'tools':[{'type':'function','name':'a b'}]", "tools[0].name", "letters, digits"),
                arguments("'tools':[" + TOOL + "," + TOOL + "]", "tools[1].name", "a tool before it"),
                arguments("'tools':[" + TOOL + "," + TOOL + "," + TOOL + "]", "tools", "3 tools, at most 2"),
                arguments(
                        "'tools':[{'type':'function','name':'a','parameters':{'type':'array'}}]",
                        "tools[0].parameters.type",
                        "must be 'object'"),
                arguments("'tool_choice':'required'", "tool_choice", "no 'tools'"),
                arguments("'tool_choice':'some'", "tool_choice", "must be 'none'"),
                arguments("'tool_choice':{'type':'function','name':'b'}", "tool_choice.name", "none of the 'tools'"),
                arguments("'tool_choice':{'type':'file_search'}", "tool_choice.type", "not supported"),
                arguments(
                        "'tools':[" + TOOL + "],'tool_choice':{'type':'allowed_tools','mode':'auto','tools':[]}",
                        "tool_choice.tools",
                        "is empty"),
                arguments(
                        "'tools':[" + TOOL
                                + "],'tool_choice':{'type':'allowed_tools','mode':'x','tools':[{'name':'a'}]}",
                        "tool_choice.mode",
                        "'auto' or 'required'"),
                arguments(
                        "'tools':[" + TOOL + "],'tool_choice':'required','text':{'format':{'type':'json_object'}}",
                        "text.format",
                        "exclude one another"));
    }

    @ParameterizedTest
    @MethodSource("fields")
    void shouldRefuseARequestAndNameTheParameter(String fields, String param, String message) {
        assertInvalid("{'model':'test-model','input':'hi'," + fields + "}", param, message);
    }

    /** Inputs. */
    static Stream<Arguments> inputs() {
        String call = "{'type':'function_call','call_id':'c','name':'a','arguments':'{}'}";
        return Stream.of(
                arguments("5", "input", "a string or an array of items, but is an integer"),
                arguments("null", "input", "is missing"),
                arguments("''", null, null),
                arguments("[]", "input", "empty"),
                arguments("['a']", "input[0]", "must be an object"),
                arguments("[{}]", "input[0].type", "is missing"),
                arguments("[{'type':'computer_call'}]", "input[0].type", "'computer_call'"),
                arguments("[{'role':'tool','content':'x'}]", "input[0].role", "must be one of"),
                arguments("[{'role':'user'}]", "input[0].content", "is missing"),
                arguments("[{'role':'user','content':5}]", "input[0].content", "but is an integer"),
                arguments("[{'role':'user','content':[{}]}]", "input[0].content[0].type", "is missing"),
                arguments(
                        "[{'role':'user','content':[{'type':'input_image','image_url':'x'}]}]",
                        "input[0].content[0].type",
                        "'input_image'"),
                arguments(
                        "[{'role':'user','content':[{'type':'input_file','file_id':'x'}]}]",
                        "input[0].content[0].type",
                        "'input_file'"),
                arguments(
                        "[{'role':'user','content':[{'type':'input_text'}]}]",
                        "input[0].content[0].text",
                        "is missing"),
                arguments("[{'type':'function_call','name':'a','arguments':'{}'}]", "input[0].call_id", "is missing"),
                arguments(
                        "[{'type':'function_call','call_id':'c','name':'a','arguments':5}]",
                        "input[0].arguments",
                        "a JSON object"),
                arguments(
                        "[{'type':'function_call_output','call_id':'c','output':'x'}]",
                        "input[0].call_id",
                        "no 'function_call' before it"),
                arguments(
                        "[" + call + ",{'type':'function_call_output','call_id':'c'}]",
                        "input[1].output",
                        "is missing"),
                arguments(
                        "[{'type':'reasoning','summary':[{'type':'summary_text'}]}]", "input[0].summary[0].text", "is"),
                arguments("[{'type':'item_reference','id':'msg_a_0'}]", "input[0].id", "no item 'msg_a_0'"),
                arguments("[{'id':'x'}]", "input[0].id", "no item 'x'"),
                arguments("[{'type':'reasoning','summary':[]}]", "input", "nothing that could be answered"),
                arguments(
                        IntStream.range(0, 5)
                                .mapToObj(i -> "{'role':'user','content':'a'}")
                                .collect(Collectors.joining(",", "[", "]")),
                        "input",
                        "5 messages, at most 4"),
                arguments("'" + PlainTemplate.RAISE + "'", "input", "roles must alternate"),
                arguments("'" + "a".repeat(300) + "'", "input", "context has 256 tokens"));
    }

    @ParameterizedTest
    @MethodSource("inputs")
    void shouldRefuseAnInputAndNameItsPart(String input, String param, String message) {
        String body = "{'model':'test-model','input':" + input + "}";
        if (message == null) {
            assertThat(server.post("/v1/responses", body).status()).isEqualTo(200);
        } else {
            assertInvalid(body, param, message);
        }
    }

    private static void assertInvalid(String body, String param, String message) {
        Answer answer = server.post("/v1/responses", body);
        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.at("error.type")).isEqualTo("invalid_request_error");
        assertThat(answer.at("error.param")).as(answer.body()).isEqualTo(param);
        assertThat(answer.at("error.message")).asString().contains(message);
    }
}
