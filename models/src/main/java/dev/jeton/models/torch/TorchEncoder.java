package dev.jeton.models.torch;

import ai.djl.ndarray.types.DataType;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.IValue;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.TorchScriptFolder;
import dev.jeton.models.VectorSpec;
import dev.jeton.models.encoder.EncoderModel;
import dev.jeton.models.encoder.TextRun;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.rows.Scratch;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * An encoder's TorchScript module, run by libtorch. What it returns becomes float32 on the host by a script of our own
 * ({@link #ADAPTER}), since DJL's JNI does not know all of libtorch's types.
 *
 * <p>Owned by the engine's thread; see {@link EncoderModel}. What comes of a run lies in libtorch's memory until the
 * next.
 */
final class TorchEncoder implements EncoderModel {

    /** Tokens of the longest text that a module is tried with. */
    private static final int TRIED_TOKENS = 512;

    private static final String NAME = "Adapter";

    private static final String ADAPTER = """
            class $CLASS(Module):
              __parameters__ = []
              __buffers__ = []
              training : bool
              def place(self: __torch__.$CLASS, x: Tensor) -> Tensor:
                return torch.to(x, torch.device("$DEVICE"), $WHOLE)
              def sizes(self: __torch__.$CLASS, x: Tensor) -> List[int]:
                return torch.size(x)
              def real(self: __torch__.$CLASS, x: Tensor) -> bool:
                return torch.is_floating_point(x)
              def floats(self: __torch__.$CLASS, x: Tensor) -> Tensor:
                return torch.contiguous(torch.to(x, torch.device("cpu"), 6))
            """;

    private final TorchModule module;
    private final TorchModule adapter;
    private final VectorSpec spec;
    private final TorchDevice device;
    private final int threads;
    private final ForwardCall call;
    private final ForwardOutput output;
    private final Map<ForwardCall.Given, Scratch> memory = new EnumMap<>(ForwardCall.Given.class);
    private final boolean byToken;
    private @Nullable PtNDArray last;
    private @Nullable Thread owner;

    private TorchEncoder(
            TorchModule module, TorchModule adapter, TorchScriptFolder folder, TorchDevice device, int threads) {
        this.module = module;
        this.adapter = adapter;
        spec = folder.encoder();
        this.device = device;
        this.threads = threads;
        String declaration = module.declaration("forward")
                .orElseThrow(() -> new ModelException("the module has no forward that takes tensors"));
        call = ForwardCall.read(declaration, folder.inputs());
        output = ForwardOutput.of(spec.kind(), folder.inputs().isPresent());
        for (ForwardCall.Given given : call.given()) {
            memory.put(given, new Scratch(given.key() + " of a run"));
        }
        try {
            byToken = tried();
        } catch (RuntimeException | Error e) {
            memory.values().forEach(Scratch::close);
            throw e;
        }
    }

    /**
     * Loads a module and tries it.
     *
     * @throws ModelException where it is not what the folder says
     * @throws EngineException where libtorch cannot load or run it
     */
    static TorchEncoder load(TorchScriptFolder folder, TorchDevice device, int threads) {
        TorchRuntime.start();
        TorchRuntime.enter(threads);
        boolean narrow = folder.inputs().map(TorchScriptFolder.Inputs::narrow).orElse(false);
        TorchModule module = TorchModule.load(folder.module(), device);
        TorchModule adapter = null;
        try {
            adapter = TorchModule.load(adapter(device, narrow));
            return new TorchEncoder(module, adapter, folder, device, threads);
        } catch (RuntimeException | Error e) {
            module.close();
            if (adapter != null) {
                adapter.close();
            }
            throw e;
        }
    }

    /**
     * The script that takes a module's outputs to the host, as an archive.
     *
     * @param narrow whether whole numbers are of 32 bits, not 64
     */
    static byte[] adapter(TorchDevice device, boolean narrow) {
        String script = ADAPTER.replace("$CLASS", NAME)
                .replace("$DEVICE", device.torchName())
                .replace("$WHOLE", narrow ? "3" : "4");
        return ScriptArchive.write(NAME, script, List.of());
    }

    /** Runs texts of several lengths, up to the longest: whether hidden states of tokens come. */
    private boolean tried() {
        int most = Math.min(spec.maxTokens(), TRIED_TOKENS);
        boolean states = shapeOf(text(Math.min(2, most)), text(Math.min(5, most)));
        if (shapeOf(text(most)) != states) {
            throw new ModelException("the module brings vectors for some texts and hidden states for others");
        }
        return states;
    }

    private int[] text(int tokens) {
        int[] text = new int[tokens];
        Arrays.fill(text, spec.padding() == 0 ? spec.vocabulary() - 1 : 0);
        return text;
    }

    private boolean shapeOf(int[]... texts) {
        TextRun run = TextRun.of(spec.padding(), spec.separator(), texts);
        try (IValue tensor = output.pick(module.call("forward", arguments(run)))) {
            try (IValue real = adapter.ask("real", tensor)) {
                if (!real.toBoolean()) {
                    throw new ModelException(
                            "what forward returns is of whole numbers; hidden states or logits are needed");
                }
            }
            return states(tensor, run);
        }
    }

    /** Whether a tensor holds hidden states of tokens; otherwise it holds vectors. Anything else is an error. */
    private boolean states(IValue tensor, TextRun run) {
        long[] shape;
        try (IValue sizes = adapter.ask("sizes", tensor)) {
            shape = sizes.toLongArray();
        }
        boolean embedding = spec.kind() == VectorSpec.Kind.EMBEDDING;
        if (embedding && Arrays.equals(shape, new long[] {run.count(), run.longest(), spec.hidden()})) {
            return true;
        }
        boolean vectors = !embedding || !output.hiddenOnly();
        if (vectors && Arrays.equals(shape, new long[] {run.count(), spec.width()})
                || !embedding && spec.width() == 1 && Arrays.equals(shape, new long[] {run.count()})) {
            return false;
        }
        throw new EngineException("forward returns %s for %d texts of up to %d tokens, where %s are expected"
                .formatted(
                        Arrays.toString(shape),
                        run.count(),
                        run.longest(),
                        embedding
                                ? "hidden states of %d%s"
                                        .formatted(spec.hidden(), vectors ? " or vectors of " + spec.width() : "")
                                : spec.width() + " logits"));
    }

    private IValue[] arguments(TextRun run) {
        Map<String, PtNDArray> tensors = new HashMap<>();
        List<IValue> values = new ArrayList<>();
        try {
            for (ForwardCall.Given given : call.given()) {
                PtNDArray tensor = tensor(given, run);
                tensors.put(given.key(), tensor);
                if (!call.dictionary()) {
                    values.add(placed(tensor));
                }
            }
            if (call.dictionary()) {
                values.add(dictionary(tensors));
            }
            return values.toArray(IValue[]::new);
        } catch (RuntimeException | Error e) {
            values.forEach(IValue::close);
            throw e;
        } finally {
            tensors.values().forEach(PtNDArray::close);
        }
    }

    private IValue dictionary(Map<String, PtNDArray> tensors) {
        Map<String, IValue> entries = new HashMap<>();
        try {
            tensors.forEach((key, tensor) -> entries.put(key, placed(tensor)));
            return adapter.dictionary(entries);
        } finally {
            entries.values().forEach(IValue::close);
        }
    }

    /** On the device where the module is. */
    private IValue placed(PtNDArray tensor) {
        IValue value = IValue.from(tensor);
        return device.isGpu() ? adapter.call("place", value) : value;
    }

    private PtNDArray tensor(ForwardCall.Given given, TextRun run) {
        boolean wide = !call.narrow();
        MemorySegment segment = Objects.requireNonNull(memory.get(given)).of(run.places() * (wide ? 8 : 4));
        switch (given) {
            case TOKENS -> run.tokens(segment, wide);
            case MASK -> run.mask(segment, wide);
            case TYPES -> run.types(segment, wide);
        }
        return module.tensor(segment, wide ? DataType.INT64 : DataType.INT32, run.count(), run.longest());
    }

    @Override
    public String engine() {
        return "torch";
    }

    @Override
    public String device() {
        return "%s: %d threads".formatted(device.torchName(), threads);
    }

    @Override
    public boolean byToken() {
        return byToken;
    }

    @Override
    public boolean tokenTypes() {
        return call.tokenTypes();
    }

    @Override
    public TensorType type() {
        return TensorType.F32;
    }

    @Override
    public int width() {
        return byToken ? spec.hidden() : spec.width();
    }

    @Override
    public MemorySegment run(TextRun texts) {
        if (owner != Thread.currentThread()) {
            TorchRuntime.enter(threads);
            owner = Thread.currentThread();
        }
        release();
        try (IValue tensor = output.pick(module.call("forward", arguments(texts)))) {
            if (states(tensor, texts) != byToken) {
                throw new EngineException("the module brings vectors for some texts and hidden states for others");
            }
            try (IValue floats = adapter.ask("floats", tensor)) {
                PtNDArray array = adapter.tensor(floats);
                last = array;
                return MemorySegment.ofBuffer(array.toByteBuffer(true));
            }
        } catch (EngineException e) {
            throw TorchRuntime.checked(e, device);
        }
    }

    private void release() {
        if (last != null) {
            last.close();
            last = null;
        }
    }

    @Override
    public void close() {
        release();
        memory.values().forEach(Scratch::close);
        module.close();
        adapter.close();
    }
}
