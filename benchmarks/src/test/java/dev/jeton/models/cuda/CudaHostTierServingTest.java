package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import dev.jeton.scheduler.DispatcherStats;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.Scheduler;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * The production scheduler over the cuda engine on a device that does its work late, with prefixes that go and come.
 */
class CudaHostTierServingTest {

    private static final int PROMPTS = 6;
    private static final int LENGTH = 70;
    /** Room for not three of the prompts. */
    private static final int BLOCKS = 14;

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    private record Served(List<List<Integer>> tokens, DispatcherStats stats) {}

    @Test
    void servesFromTheHostWhatTheDeviceHasEvictedWithTheSameTokens() throws IOException {
        Path model = new TinyModel(folder.resolve("model"), Configs.llama(""), TensorType.BF16, 3).folder;
        DecoderSpec spec = DecoderSpec.read(model);
        DeviceShape shape = new DeviceShape(Shard.of(spec, 0, 1), DeviceShape.Type.BF16, DeviceShape.KvType.BF16, 16);
        long blockBytes = spec.layers() * shape.layerBytes();
        Served without = serve(load(model, BLOCKS * blockBytes, 0));
        Served with = serve(load(model, BLOCKS * blockBytes, 64 * blockBytes));

        assertThat(with.tokens).isEqualTo(without.tokens);
        assertThat(without.stats.prefixHitTokens()).as("found on the device").isLessThan(PROMPTS * 64);
        assertThat(with.stats.host().hitTokens()).isGreaterThanOrEqualTo(PROMPTS * 64);
        assertThat(with.stats.prefillTokens()).as("prefilled").isLessThan(3 * without.stats.prefillTokens() / 4);
    }

    private static Engine load(Path model, long bytes, long hostBytes) {
        EngineOptions options = new EngineOptions(128, bytes, 4, 64, 16, 0, "none");
        return CudaEngine.load(model, options.withHostKv(hostBytes), MACHINE.libraries());
    }

    /** Each prompt three times, in turn, two at once. */
    private static Served serve(Engine engine) {
        MACHINE.knobs().deferred(7);
        SchedulerConfig config = new SchedulerConfig(4, 64, 64, 64, 1_000_000_000_000L, 0, true, 7);
        Scheduler scheduler = new Scheduler(engine, config, System::nanoTime, System.nanoTime(), StepListener.NONE);
        List<List<Integer>> tokens = new ArrayList<>();
        for (int i = 0; i < 3 * PROMPTS; i += 2) {
            Generation first = scheduler.submit(request(i));
            Generation second = scheduler.submit(request(i + 1));
            while (!scheduler.idle() || scheduler.copying()) {
                scheduler.turn();
                scheduler.verifyIntegrity();
            }
            tokens.add(take(first));
            tokens.add(take(second));
        }
        DispatcherStats stats = scheduler.stats();
        scheduler.close();
        MACHINE.knobs().immediate();
        return new Served(tokens, stats);
    }

    private static GenerationRequest request(int i) {
        int[] prompt = new Random(i % PROMPTS).ints(LENGTH, 0, 301).toArray();
        return GenerationRequest.of("r" + i, prompt, 4, SamplingParameters.GREEDY);
    }

    private static List<Integer> take(Generation generation) {
        List<Integer> tokens = new ArrayList<>();
        GenerationEvent event = new GenerationEvent();
        while (generation.poll(event)) {
            if (!event.finished) {
                tokens.add(event.token);
            }
        }
        assertThat(generation.done()).isTrue();
        return tokens;
    }
}
