package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.jeton.server.testing.PlainTemplate;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class MessagesBadInputTest {

    private static final String TOOL = "{'name':'a','input_schema':{'type':'object'}}";

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
        assertThat(post("'max_tokens':5,'messages':[{'role':'user','content':'hi'}]")
                        .status())
                .isEqualTo(200);
    }

    private static Answer post(String fields) {
        return server.post("/v1/messages", "{'model':'test-model'," + fields + "}");
    }

    private static void assertRefused(Answer answer, String param, String message) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.at("type")).isEqualTo("error");
        assertThat(answer.at("error.type")).isEqualTo("invalid_request_error");
        assertThat(answer.at("error.message")).asString().contains(message);
        assertThat(answer.at("jeton.param")).isEqualTo(param);
        assertThat(answer.at("request_id")).isEqualTo(answer.header("request-id"));
    }

    /** Fields added to a sound request; the parameter named; a part of the message. */
    static Stream<Arguments> fields() {
        return Stream.of(
                arguments("'max_tokens':-1", "max_tokens", "between 0"),
                arguments("'max_tokens':'x'", "max_tokens", "must be an integer"),
                arguments("'max_completion_tokens':5", "max_completion_tokens", "here it is 'max_tokens'"),
                arguments("'stop':'x'", "stop", "here it is 'stop_sequences'"),
                arguments("'response_format':{}", "response_format", "here it is 'output_config.format'"),
                arguments("'reasoning_effort':'low'", "reasoning_effort", "here it is 'output_config.effort'"),
                arguments("'parallel_tool_calls':true", "parallel_tool_calls", "disable_parallel_tool_use"),
                arguments("'logprobs':true", "logprobs", "no place for log-probabilities"),
                arguments("'n':2", "n", "between 1 and 1"),
                arguments("'temperature':-1", "temperature", "between 0"),
                arguments("'top_p':2", "top_p", "between 0"),
                arguments("'top_k':'x'", "top_k", "must be an integer"),
                arguments("'stop_sequences':[5]", "stop_sequences[0]", "must be a string"),
                arguments("'stop_sequences':['']", "stop_sequences[0]", "between 1 and"),
                arguments("'stop_sequences':{}", "stop_sequences", "an array of strings"),
                arguments("'stream':'yes'", "stream", "must be a boolean"),
                arguments("'service_tier':'priority'", "service_tier", "'standard_only'"),
                arguments("'metadata':{'user_id':5}", "metadata.user_id", "must be a string"),
                arguments("'metadata':{'user_id':'" + "u".repeat(513) + "'}", "metadata.user_id", "at most 512"),
                arguments("'metadata':{'task':'!'}", "metadata.task", "letters, digits"),
                arguments("'container':'c'", "container", "nothing is run here"),
                arguments("'mcp_servers':[{'type':'url'}]", "mcp_servers", "calls none"),
                arguments("'thread':{}", "thread", "not kept here"),
                arguments("'inference_geo':'us'", "inference_geo", "where this server is"),
                arguments("'system':5", "system", "a string or an array of blocks"),
                arguments("'system':[{'type':'image'}]", "system[0].type", "'text'"),
                arguments("'thinking':{}", "thinking.type", "is missing"),
                arguments("'thinking':{'type':'on'}", "thinking.type", "but is 'on'"),
                arguments("'thinking':{'type':'enabled'}", "thinking.budget_tokens", "is missing"),
                arguments("'thinking':{'type':'enabled','budget_tokens':0}", "thinking.budget_tokens", "between 1"),
                arguments("'thinking':{'type':'adaptive','display':'x'}", "thinking.display", "'omitted'"),
                arguments("'output_config':{'effort':'huge'}", "output_config.effort", "must be one of"),
                arguments("'output_config':{'format':{'type':'xml'}}", "output_config.format.type", "but is 'xml'"),
                arguments(
                        "'output_config':{'format':{'type':'json_schema'}}", "output_config.format.schema", "missing"),
                arguments(
                        "'output_config':{'format':{'type':'json_object'}},'output_format':{'type':'json_object'}",
                        "output_format",
                        "older name"),
                arguments(
                        "'output_config':{'format':{'type':'json_object'}},'guided_regex':'a'",
                        "guided_regex",
                        "exclude one another"),
                arguments(
                        "'tools':[{'type':'web_search_20250305','name':'web_search'}]", "tools[0].type", "web_search"),
                arguments("'tools':[{'type':'bash_20250124','name':'bash'}]", "tools[0].type", "'bash_20250124'"),
                arguments("'tools':[{'name':'a'}]", "tools[0].input_schema", "is missing"),
                arguments("'tools':[{'input_schema':{}}]", "tools[0].name", "is missing"),
                arguments("'tools':[{'name':'a b','input_schema':{}}]", "tools[0].name", "letters, digits"),
                arguments("'tools':[" + TOOL + "," + TOOL + "]", "tools[1].name", "a tool before it"),
                arguments("'tools':[" + TOOL + "," + TOOL + "," + TOOL + "]", "tools", "3 tools, at most 2"),
                arguments(
                        "'tools':[{'name':'a','input_schema':{'type':'array'}}]",
                        "tools[0].input_schema.type",
                        "must be 'object'"),
                arguments("'tool_choice':'auto'", "tool_choice", "must be an object"),
                arguments("'tool_choice':{'type':'any'}", "tool_choice", "no 'tools'"),
                arguments("'tool_choice':{'type':'some'}", "tool_choice.type", "'any'"),
                arguments(
                        "'tools':[" + TOOL + "],'tool_choice':{'type':'tool','name':'b'}",
                        "tool_choice.name",
                        "none of the 'tools'"),
                arguments(
                        "'tool_choice':{'type':'auto','disable_parallel_tool_use':5}",
                        "tool_choice.disable_parallel_tool_use",
                        "must be a boolean"),
                arguments(
                        "'chat_template_kwargs':{'tools':[]}", "chat_template_kwargs.tools", "a field of the request"),
                arguments("'documents':[]", "documents", "not supported"));
    }

    @ParameterizedTest
    @MethodSource("fields")
    void shouldNameTheFieldThatIsWrong(String fields, String param, String message) {
        String most = fields.contains("'max_tokens'") ? "" : "'max_tokens':5,";
        assertRefused(post(most + "'messages':[{'role':'user','content':'hi'}]," + fields), param, message);
    }

    /** Messages of a request; the parameter named; a part of the message. */
    static Stream<Arguments> messages() {
        String user = "{'role':'user','content':'a'}";
        String use = "{'role':'assistant','content':[{'type':'tool_use','id':'t','name':'f','input':{}}]}";
        return Stream.of(
                arguments("5", "messages", "must be an array"),
                arguments("[]", "messages", "is empty"),
                arguments("[5]", "messages[0]", "must be an object"),
                arguments("[{'content':'a'}]", "messages[0].role", "is missing"),
                arguments("[{'role':'tool','content':'a'}]", "messages[0].role", "'assistant' or 'system'"),
                arguments("[{'role':'user'}]", "messages[0].content", "is missing"),
                arguments("[{'role':'user','content':5}]", "messages[0].content", "an array of blocks"),
                arguments("[{'role':'user','content':[5]}]", "messages[0].content[0]", "must be an object"),
                arguments("[{'role':'user','content':[{'text':'a'}]}]", "messages[0].content[0].type", "is missing"),
                arguments("[{'role':'user','content':[{'type':'text'}]}]", "messages[0].content[0].text", "is missing"),
                arguments(
                        "[{'role':'user','content':[{'type':'image','source':{}}]}]",
                        "messages[0].content[0].type",
                        "is 'image': only blocks"),
                arguments(
                        "[{'role':'user','content':[{'type':'document','source':{}}]}]",
                        "messages[0].content[0].type",
                        "is 'document': only blocks"),
                arguments(
                        "[{'role':'assistant','content':[{'type':'server_tool_use'}]}," + user + "]",
                        "messages[0].content[0].type",
                        "'server_tool_use'"),
                arguments(
                        "[{'role':'user','content':[{'type':'tool_result','tool_use_id':'t'}]}]",
                        "messages[0].content[0].tool_use_id",
                        "no 'tool_use' before it"),
                arguments(
                        "[" + use + ",{'role':'user','content':[{'type':'tool_result','tool_use_id':'t','content':"
                                + "[{'type':'image'}]}]}]",
                        "messages[1].content[0].content[0].type",
                        "'image'"),
                arguments(
                        "[{'role':'assistant','content':[{'type':'tool_use','id':'t','name':'f','input':'x'}]}]",
                        "messages[0].content[0].input",
                        "must be an object"),
                arguments(
                        "[{'role':'assistant','content':[{'type':'tool_use','name':'f','input':{}}]}]",
                        "messages[0].content[0].id",
                        "is missing"),
                arguments("[" + user + ",{'role':'assistant','content':' '}]", "messages", "cannot be gone on with"),
                arguments("[" + user + "," + use + "]", "messages", "cannot be gone on with"),
                arguments("[{'role':'system','content':''}]", "messages", "nothing that could be answered"),
                arguments("[{'role':'system','content':'a'}]", "messages", "nothing that could be answered"),
                arguments(
                        "[" + String.join(",", user, user, user, user, user) + "]",
                        "messages",
                        "5 messages, at most 4"),
                arguments(
                        "[{'role':'user','content':'" + PlainTemplate.RAISE + "'}]",
                        "messages",
                        "chat template refused"));
    }

    @ParameterizedTest
    @MethodSource("messages")
    void shouldNameTheMessageThatIsWrong(String messages, String param, String message) {
        assertRefused(post("'max_tokens':5,'messages':" + messages), param, message);
        assertRefused(
                server.post("/v1/messages/count_tokens", "{'model':'test-model','messages':" + messages + "}"),
                param,
                message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[]", "'x'", "{'model':5}", "{'max_tokens':5}"})
    void shouldRefuseWhatIsNoRequest(String body) {
        Answer answer = server.post("/v1/messages", body);
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.at("error.type")).isEqualTo("invalid_request_error");
    }

    @ParameterizedTest
    @ValueSource(strings = {"'messages':[{'role':'user','content':'hi'}]", "'max_tokens':5"})
    void shouldMissWhatMustBeThere(String fields) {
        assertThat(post(fields).at("error.message")).asString().contains("is missing");
    }
}
