package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.template.JinjaTemplate;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The items of responses and the blocks of messages that answers in OpenAI's harmony format become, in their order. */
class HarmonyItemsTest {

    private static final String NEXT = "<|start|>assistant";
    private static final String THOUGHT = "<|channel|>analysis<|message|>why<|end|>";
    private static final String PREAMBLE = "<|channel|>commentary<|message|>Let me see.<|end|>";
    private static final String CALL = "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"n\": 1}";
    private static final String FINAL = "<|channel|>final<|message|>so<|return|>";
    private static final String TOOLS = "'tools':[{'type':'function','name':'f','strict':false}]";
    private static final String BLOCK_TOOLS = "'tools':[{'name':'f','input_schema':{'type':'object'}}]";

    private static final AtomicReference<String> REPLY = new AtomicReference<>("");
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .template(new JinjaTemplate(
                        "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}"
                                + "{% if add_generation_prompt %}<|start|>assistant{# <|channel|> #}{% endif %}",
                        Map.of(), Clock.systemUTC()))
                .tokenizer(ByteTokenizer.marking())
                .reasoningParser("auto")
                .toolCallParser("auto")
                .replies(prompt -> ByteTokenizer.marking().encode(REPLY.get(), false))
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer response(String reply, String fields) {
        REPLY.set(reply);
        Answer answer = server.post("/v1/responses", "{'model':'test-model','input':'hi'," + fields + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    private static Answer message(String reply, String fields) {
        REPLY.set(reply);
        Answer answer = server.post(
                "/v1/messages",
                "{'model':'test-model','max_tokens':500,'messages':[{'role':'user','content':'hi'}]," + fields + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    /** Of each item its type and its text, from a whole response with which the streamed one agrees. */
    private static List<String> items(String reply, String fields) {
        Answer whole = response(reply, fields);
        StreamedResponse.assertSame(reply, whole, response(reply, fields + ",'stream':true"));
        List<String> items = new ArrayList<>();
        for (Object item : (List<?>) whole.at("output")) {
            boolean call = Answer.at(item, "type").equals("function_call");
            String text = call
                    ? "%s%s".formatted(Answer.at(item, "name"), Answer.at(item, "arguments"))
                    : (String) Answer.at(item, "content.0.text");
            items.add(Answer.at(item, "type") + ":" + text);
        }
        return items;
    }

    /** Of each block its type and its text, from a whole message with which the streamed one agrees. */
    private static List<String> blocks(String reply, String fields) {
        Answer whole = message(reply, fields);
        List<?> content = (List<?>) whole.at("content");
        assertThat(told(StreamedMessage.content(message(reply, fields + ",'stream':true"))))
                .isEqualTo(told(content));
        return told(content);
    }

    private static List<String> told(List<?> blocks) {
        return blocks.stream()
                .map(block -> switch ((String) Answer.at(block, "type")) {
                    case "thinking" -> "thinking:" + Answer.at(block, "thinking");
                    case "tool_use" -> "tool_use:" + Answer.at(block, "name") + Answer.at(block, "input");
                    default -> "text:" + Answer.at(block, "text");
                })
                .toList();
    }

    @Test
    void shouldKeepTheOrderOfThinkingTextAndCalls() {
        String reply = THOUGHT + NEXT + PREAMBLE + NEXT + THOUGHT + NEXT + CALL + "<|call|>";
        assertThat(items(reply, TOOLS))
                .containsExactly("reasoning:why", "message:Let me see.", "reasoning:why", "function_call:f{\"n\": 1}");
        assertThat(blocks(reply, BLOCK_TOOLS))
                .containsExactly("thinking:why", "text:Let me see.", "thinking:why", "tool_use:f{n=1}");
        assertThat(message(reply, BLOCK_TOOLS).at("stop_reason")).isEqualTo("tool_use");
    }

    @Test
    void shouldKeepItBehindACallThatEndsNothing() {
        String reply = CALL + "<|end|>" + NEXT + THOUGHT + NEXT + FINAL;
        assertThat(items(reply, TOOLS)).containsExactly("function_call:f{\"n\": 1}", "reasoning:why", "message:so");
        assertThat(blocks(reply, BLOCK_TOOLS)).containsExactly("tool_use:f{n=1}", "thinking:why", "text:so");
    }

    @Test
    void shouldKeepItWhereThinkingIsStreamedInOnePiece() {
        String reply = PREAMBLE + NEXT + THOUGHT.replace("why", "why so long") + NEXT + FINAL;
        assertThat(items(reply, "'stream_reasoning':false"))
                .containsExactly("message:Let me see.", "reasoning:why so long", "message:so");
    }

    @Test
    void shouldPutThinkingThatNothingPartsIntoOneItem() {
        assertThat(items(THOUGHT + NEXT + THOUGHT + NEXT + FINAL, "'store':false"))
                .containsExactly("reasoning:why\n\nwhy", "message:so");
    }

    @Test
    void shouldGiveLogProbabilitiesOfTheFirstText() {
        String scores = "'include':['message.output_text.logprobs']";
        String reply = THOUGHT + NEXT + FINAL.replace("so<", "Hello.<");
        assertThat(scored(response(reply, scores), 1)).isEqualTo("Hello.");
        items(reply, scores);
        Answer twice = response(PREAMBLE + NEXT + FINAL, scores);
        assertThat(twice.at("output.0.content.0.text")).isEqualTo("Let me see.\n\nso");
        assertThat(scored(twice, 0)).isEqualTo("Let me see.");
        items(PREAMBLE + NEXT + THOUGHT + NEXT + FINAL, scores);
    }

    private static String scored(Answer response, int item) {
        return ((List<?>) response.at("output." + item + ".content.0.logprobs"))
                .stream().map(score -> (String) Answer.at(score, "token")).collect(Collectors.joining());
    }

    @Test
    void shouldGoOnFromAMessageThatIsBegun() {
        REPLY.set(" 4.<|end|>" + NEXT + THOUGHT);
        Answer answer = server.post(
                "/v1/messages",
                "{'model':'test-model','max_tokens':500,'messages':[{'role':'user','content':'hi'},"
                        + "{'role':'assistant','content':'It is'}]}");
        assertThat(told((List<?>) answer.at("content"))).containsExactly("text: 4.", "thinking:why");
    }

    @Test
    void shouldStreamWhatAWholeAnswerHas() {
        List<String> pieces = List.of(
                THOUGHT, PREAMBLE, CALL + "<|end|>", NEXT, NEXT, "<|channel|>final<|message|>", "a\n", "\n", "b");
        for (int seed = 0; seed < 40; seed++) {
            Random random = new Random(seed);
            StringBuilder reply = new StringBuilder();
            int count = random.nextInt(9);
            for (int i = 0; i < count; i++) {
                reply.append(pieces.get(random.nextInt(pieces.size())));
            }
            items(reply.toString(), TOOLS + ",'include':['message.output_text.logprobs']");
            blocks(reply.toString(), BLOCK_TOOLS);
        }
    }
}
