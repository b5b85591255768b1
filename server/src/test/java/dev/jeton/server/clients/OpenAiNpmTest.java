package dev.jeton.server.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TwoTenants;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Installs the npm package {@code openai} below target/ and talks to the server with it; skipped where npm cannot. */
class OpenAiNpmTest {

    private static final String PACKAGE = "openai@6";

    private static final String SCRIPT = """
            import OpenAI from 'openai';
            const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'none', maxRetries: 0 });
            const model = process.argv[3];
            const messages = [{ role: 'user', content: 'hi' }];
            const chat = await client.chat.completions.create({ model, messages });
            console.log('chat=' + chat.choices[0].message.content);
            let streamed = '';
            let usage = 0;
            const options = { stream: true, stream_options: { include_usage: true } };
            for await (const chunk of await client.chat.completions.create({ model, messages, ...options })) {
              streamed += chunk.choices[0]?.delta?.content ?? '';
              usage = chunk.usage?.total_tokens ?? usage;
            }
            console.log('chat-stream=' + streamed);
            console.log('usage=' + (usage > 0));
            const completion = await client.completions.create({ model, prompt: 'hi' });
            console.log('completion=' + completion.choices[0].text);
            let text = '';
            for await (const chunk of await client.completions.create({ model, prompt: 'hi', stream: true })) {
              text += chunk.choices[0].text;
            }
            console.log('completion-stream=' + text);
            const models = [];
            for await (const served of client.models.list()) models.push(served.id);
            console.log('models=' + models.join());
            try {
              await client.chat.completions.create({ model: 'other', messages });
            } catch (error) {
              console.log('error=' + error.status + ' ' + error.code + ' ' + error.param);
            }
            """;

    @Test
    void shouldTalkToTheServer() throws Exception {
        Path folder = Path.of("target", "npm-openai");
        install(folder);
        Files.writeString(folder.resolve("talk.mjs"), SCRIPT);
        try (TestServer server = TestServer.start()) {
            String output =
                    run(folder, 60, "node", "talk.mjs", server.uri("/v1").toString(), TestServer.MODEL);
            assertThat(output.lines())
                    .containsExactly(
                            "chat=" + TestServer.REPLY,
                            "chat-stream=" + TestServer.REPLY,
                            "usage=true",
                            "completion=" + TestServer.REPLY,
                            "completion-stream=" + TestServer.REPLY,
                            "models=" + TestServer.MODEL,
                            "error=404 model_not_found model");
        }
    }

    private static final String BATCH_SCRIPT = """
            import OpenAI, { toFile } from 'openai';
            const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'none', maxRetries: 0 });
            const line = (id) => JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions',
              body: { model: process.argv[3], messages: [{ role: 'user', content: 'say:' + id }] } });
            const text = [line('one'), line('two')].join('\\n');
            const file = await client.files.create({ file: await toFile(Buffer.from(text), 'in.jsonl'), purpose: 'batch',
              expires_after: { anchor: 'created_at', seconds: 3600 } });
            console.log('file=' + file.filename + ' ' + file.bytes + ' ' + (file.expires_at - file.created_at));
            let batch = await client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions',
              completion_window: '24h', metadata: { for: 'npm' } });
            while (batch.status !== 'completed') {
              await new Promise((done) => setTimeout(done, 20));
              batch = await client.batches.retrieve(batch.id);
            }
            console.log('batch=' + batch.metadata.for + ' ' + batch.request_counts.completed);
            const content = await (await client.files.content(batch.output_file_id)).text();
            const said = content.trim().split('\\n').map((l) => JSON.parse(l).response.body.choices[0].message.content);
            console.log('said=' + said.sort().join());
            const listed = [];
            for await (const each of client.batches.list({ limit: 1 })) listed.push(each.id === batch.id);
            console.log('listed=' + listed.join());
            console.log('deleted=' + (await client.files.delete(file.id)).deleted);
            """;

    @Test
    void shouldWorkThroughABatch(@TempDir Path kept) throws Exception {
        Path folder = Path.of("target", "npm-openai");
        install(folder);
        Files.writeString(folder.resolve("batch.mjs"), BATCH_SCRIPT);
        try (TestServer server =
                TestServer.builder().set("batches.folder", kept.toString()).start()) {
            String output =
                    run(folder, 60, "node", "batch.mjs", server.uri("/v1").toString(), TestServer.MODEL);
            assertThat(output.lines())
                    .first()
                    .asString()
                    .startsWith("file=in.jsonl ")
                    .endsWith(" 3600");
            assertThat(output.lines().skip(1))
                    .containsExactly("batch=npm 2", "said=one,two", "listed=true", "deleted=true");
        }
    }

    private static final String RESPONSES_SCRIPT = """
            import OpenAI from 'openai';
            const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'none', maxRetries: 0 });
            const model = process.argv[3];
            const first = await client.responses.create({ model, input: 'say:one' });
            console.log(first.status + '=' + first.output_text);
            const stream = client.responses.stream({ model, input: 'say:two', previous_response_id: first.id });
            let streamed = '';
            stream.on('response.output_text.delta', (event) => { streamed += event.delta; });
            const second = await stream.finalResponse();
            console.log(streamed + '=' + second.output_text);
            console.log('stored=' + (await client.responses.retrieve(second.id)).output_text);
            const format = { type: 'json_schema', name: 'answer', strict: true, schema: {
              type: 'object', required: ['ok'], additionalProperties: false, properties: { ok: { const: true } } } };
            const parsed = await client.responses.parse({ model, input: 'hi', text: { format } });
            console.log('parsed=' + JSON.stringify(parsed.output_parsed));
            """;

    @Test
    void shouldMakeResponses() throws Exception {
        Path folder = Path.of("target", "npm-openai");
        install(folder);
        Files.writeString(folder.resolve("responses.mjs"), RESPONSES_SCRIPT);
        try (TestServer server = TestServer.start()) {
            String output =
                    run(folder, 60, "node", "responses.mjs", server.uri("/v1").toString(), TestServer.MODEL);
            assertThat(output.lines())
                    .containsExactly("completed=one", "two=two", "stored=two", "parsed={\"ok\":true}");
        }
    }

    private static final String TOOLS_SCRIPT = """
            import OpenAI from 'openai';
            const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'none', maxRetries: 0 });
            const weather = {
              type: 'function',
              function: {
                name: 'weather', description: 'The weather now', parse: JSON.parse,
                parameters: { type: 'object', properties: { city: { type: 'string' } } },
                function: ({ city }) => city === 'Rome' ? '21 degrees' : 'unknown',
              },
            };
            for (const stream of [false, true]) {
              const runner = client.chat.completions.runTools({
                model: process.argv[3], stream, tools: [weather],
                messages: [{ role: 'user', content: 'How warm is it in Rome?' }],
              });
              const answer = await runner.finalContent();
              const call = await runner.finalFunctionToolCall();
              console.log([answer, call.name, call.arguments, await runner.finalFunctionToolCallResult()].join(' | '));
            }
            """;

    /** The library carries out calls and sends their results until there are no more. */
    @Test
    void shouldRunTools() throws Exception {
        Path folder = Path.of("target", "npm-openai");
        install(folder);
        Files.writeString(folder.resolve("tools.mjs"), TOOLS_SCRIPT);
        String call = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>";
        ByteTokenizer tokenizer = new ByteTokenizer();
        try (TestServer server = TestServer.builder()
                .toolCallParser("hermes")
                .replies(prompt -> tokenizer.encode(
                        tokenizer.decode(prompt, true).contains("tool: 21 degrees") ? "It has 21 degrees." : call,
                        false))
                .start()) {
            String output =
                    run(folder, 60, "node", "tools.mjs", server.uri("/v1").toString(), TestServer.MODEL);
            String told = "It has 21 degrees. | weather | {\"city\": \"Rome\"} | 21 degrees";
            assertThat(output.lines()).containsExactly(told, told);
        }
    }

    /** The example of the documentation, as it stands there. */
    @Test
    void aTaskShowsWhatItCost(@TempDir Path books) throws Exception {
        Path folder = Path.of("target", "npm-openai");
        install(folder);
        Files.copy(
                Path.of("..", "docs", "examples", "task.mjs"),
                folder.resolve("task.mjs"),
                StandardCopyOption.REPLACE_EXISTING);
        try (TestServer server = TwoTenants.in(books).start()) {
            Eventually.until(
                    "the ledger is open",
                    () -> TwoTenants.get(server, TwoTenants.RED, "/v1/tasks").status() == 200);
            String output = run(
                    folder,
                    60,
                    "env",
                    "OPENAI_API_KEY=" + TwoTenants.RED,
                    "node",
                    "task.mjs",
                    server.uri("/v1").toString(),
                    TestServer.MODEL);

            assertThat(output.lines())
                    .satisfiesExactly(
                            line -> assertThat(line)
                                    .isEqualTo("task \"answer a question\": success, within its time: true"),
                            line -> assertThat(line)
                                    .contains("call plan-3 (plan, <1k): test-model", "16 tokens", "completed"),
                            line -> assertThat(line)
                                    .contains("call answer-7 (answer, <1k): test-model", "16 tokens", "completed"),
                            line -> assertThat(line)
                                    .isEqualTo("  step search (retrieval, hit): 0.0005 list, 0.0001 beyond what was"
                                            + " reserved, posted"),
                            line -> assertThat(line)
                                    .contains(" EUR = ", "0.0005 steps; 2 calls, 0 retries, hit rate 1"));
        }
    }

    private static void install(Path folder) throws Exception {
        Files.createDirectories(folder);
        if (Files.isDirectory(folder.resolve("node_modules/openai"))) {
            return;
        }
        Files.writeString(folder.resolve("package.json"), "{\"private\":true,\"type\":\"module\"}");
        String output;
        try {
            output = run(folder, 90, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error", PACKAGE);
        } catch (IOException e) {
            output = e.getMessage();
        }
        assumeTrue(
                Files.isDirectory(folder.resolve("node_modules/openai")),
                "skipped: npm is missing or cannot install " + PACKAGE + ": " + output);
    }

    private static String run(Path folder, long seconds, String... command) throws Exception {
        Path output = folder.toAbsolutePath().resolve("output.txt");
        Process process = new ProcessBuilder(List.of(command))
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
        }
        return Files.readString(output);
    }
}
