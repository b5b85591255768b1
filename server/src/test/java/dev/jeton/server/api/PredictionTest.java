package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What clients predict of answers, over HTTP. A token is a byte. */
class PredictionTest {

    private static final String REPLY = "class User { String name; int age; boolean admin; }";
    private static final String OTHER = "class User { String name; int years; boolean admin; }";

    private static final AtomicReference<String> REPLIES = new AtomicReference<>(REPLY);
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TestServer.builder()
                .drafts(8)
                .replies(prompt -> new ByteTokenizer().encode(REPLIES.get(), false))
                .start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static String predicting(String text) {
        return "'prediction':{'type':'content','content':'" + text + "'}";
    }

    private static Answer chat(String fields) {
        Answer answer = server.chat(fields);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer;
    }

    private static long predicted(Answer answer, String which) {
        return (Long) answer.at("usage.completion_tokens_details." + which + "_prediction_tokens");
    }

    @Test
    void aRightPredictionIsAnsweredInFewSteps() {
        long before = server.engine().stepsRun();
        Answer answer = chat(predicting(REPLY));

        assertThat(answer.at("choices.0.message.content")).isEqualTo(REPLY);
        assertThat(server.engine().stepsRun() - before).isLessThan(REPLY.length() / 4);
        assertThat(predicted(answer, "accepted")).isBetween(REPLY.length() * 3L / 4, (long) REPLY.length());
        assertThat(predicted(answer, "rejected")).isZero();
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(REPLY.length() + 1L);
    }

    @Test
    void aPredictionThatIsPartlyWrongChangesNothingButTime() {
        Answer plain = chat("'seed':1");
        Answer answer = chat(predicting(OTHER));

        assertThat(answer.at("choices.0.message.content")).isEqualTo(REPLY);
        assertThat(predicted(answer, "accepted")).isPositive();
        assertThat(predicted(answer, "rejected")).isPositive();
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(plain.at("usage.completion_tokens"));
    }

    @Test
    void aPredictionMayComeInParts() {
        Answer answer = chat("'prediction':{'type':'content','content':[{'type':'text','text':'class User { '},"
                + "{'type':'text','text':'String name;'}]}");
        assertThat(predicted(answer, "accepted")).isGreaterThan(15);
    }

    @Test
    void aStreamTellsOfItInItsUsage() {
        Answer answer = chat(predicting(REPLY) + ",'stream':true,'stream_options':{'include_usage':true}");

        assertThat(answer.streamed("choices.0.delta.content", 0)).isEqualTo(REPLY);
        Object last = answer.events().getLast();
        assertThat(Answer.at(last, "usage.completion_tokens_details.accepted_prediction_tokens"))
                .isInstanceOfSatisfying(Long.class, right -> assertThat(right).isGreaterThan(30L));
    }

    @Test
    void aCompletionTakesOneToo() {
        Answer answer = server.complete("'max_tokens':40," + predicting(REPLY));
        assertThat(answer.at("choices.0.text")).isEqualTo(REPLY.substring(0, 40));
        assertThat(predicted(answer, "accepted")).isGreaterThan(25);
    }

    @Test
    void tokensPastAStopStringAreNotInTheUsageHoweverManyWereComputedTogether() {
        String stop = "'stop':['age'],";
        Answer plain = chat(stop + "'seed':1");
        Answer answer = chat(stop + predicting(REPLY));

        assertThat(answer.at("choices.0.message.content")).isEqualTo(REPLY.substring(0, REPLY.indexOf("age")));
        assertThat(answer.at("usage.completion_tokens")).isEqualTo(plain.at("usage.completion_tokens"));
    }

    @Test
    void whoPredictsNothingIsToldNothingOfIt() {
        assertThat(chat("'seed':1").body()).doesNotContain("prediction_tokens");
        assertThat(chat(predicting("")).body()).doesNotContain("prediction_tokens");
    }

    @Test
    void aPredictionLongerThanTheContextIsCut() {
        Answer answer = chat(predicting(REPLY + "x".repeat(100_000)));
        assertThat(answer.at("choices.0.message.content")).isEqualTo(REPLY);
        assertThat(predicted(answer, "accepted")).isPositive();
    }

    @Test
    void noMoreOfAPredictionIsAcceptedThanTheAnswerHas() {
        Answer answer = chat("'stop':['User']," + predicting(REPLY));
        long tokens = (Long) answer.at("usage.completion_tokens");

        assertThat(answer.at("choices.0.message.content")).isEqualTo("class ");
        assertThat(predicted(answer, "accepted")).isLessThanOrEqualTo(tokens);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
                    /v1/responses              | {'model':'test-model','input':'hi',
                    /v1/responses/input_tokens | {'model':'test-model','input':'hi',
                    /v1/messages               | {'model':'test-model','max_tokens':5,'messages':[{'role':'user','content':'hi'}],
                    """)
    void otherEndpointsRefuseOneRatherThanPassItOver(String path, String body) {
        Answer answer = server.post(path, body + predicting(REPLY) + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.body()).contains("'prediction' is taken in chats and completions only");
    }

    @ParameterizedTest(name = "{1}")
    @CsvSource(delimiter = '|', textBlock = """
                    prediction.type            | {'type':'image','content':'x'}
                    prediction.type            | {'content':'x'}
                    prediction                 | 5
                    prediction.content         | {'type':'content','content':5}
                    prediction.content         | {'type':'content'}
                    prediction.content         | {'type':'content','content':null}
                    prediction.content[0].type | {'type':'content','content':[{'type':'image_url'}]}
                    prediction.content[0].text | {'type':'content','content':[{'type':'text'}]}
                    """)
    void whatIsNoPredictionIsRefused(String field, String given) {
        Answer answer = server.chat("'prediction':" + given);
        assertThat(Map.of("status", answer.status(), "param", String.valueOf(answer.at("error.param"))))
                .isEqualTo(Map.of("status", 400, "param", field));
    }
}
