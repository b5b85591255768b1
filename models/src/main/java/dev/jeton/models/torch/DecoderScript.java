package dev.jeton.models.torch;

import dev.jeton.models.DecoderFeature;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.DecoderSpec.Norms.Heads;
import dev.jeton.models.QueryGrowth;
import dev.jeton.models.Rotary;
import dev.jeton.models.WindowGroups;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * Writes a decoder in TorchScript, from the same description that the other engines interpret. One call of {@code step}
 * computes all layers of a step; {@code logits} then gives rows of logits.
 *
 * <p>Attention is written by {@link AttentionScript}, feed-forward layers by {@link FeedScript}. Products, keys and
 * values have the weights' type; the residual stream, norms, rotation and the softmax's sums are float32.
 */
final class DecoderScript {

    /** Names of the module's lists: weights, keys, values, constants, the last hidden rows, mapped files. */
    static final List<String> LISTS = List.of("w", "k", "v", "c", "h", "f");

    /** Queries of a prompt that are computed at once. */
    private static final int CHUNK = 128;
    /** Most scores of a chunk; longer contexts take smaller chunks. */
    private static final int MOST_SCORES = 1 << 24;

    /** The module's class. */
    private static final String CLASS = "Decoder";

    private final DecoderSpec spec;
    private final DecoderTensors tensors;
    private final FeedScript feed;
    private final TorchType type;
    private final String device;
    private final int blockSize;

    /**
     * @param type of products, keys and values
     * @param device as libtorch names it
     * @param blockSize tokens of a block
     */
    DecoderScript(DecoderSpec spec, DecoderTensors tensors, TorchType type, String device, int blockSize) {
        this.spec = spec;
        this.tensors = tensors;
        feed = new FeedScript(spec, tensors);
        this.type = type;
        this.device = device;
        this.blockSize = blockSize;
    }

    /** The archive's bytes. */
    byte[] archive() {
        return ScriptArchive.write(CLASS, text(), LISTS);
    }

    /** The class in TorchScript. */
    String text() {
        return fill(HEADER + LOADING + AttentionScript.text() + feed.text() + layers());
    }

    private String fill(String template) {
        WindowGroups groups = WindowGroups.of(spec);
        return template.replace("$CLASS", CLASS)
                .replace("$TYPE", Integer.toString(type.code()))
                .replace("$DEVICE", "torch.device(\"" + device + "\")")
                .replace("$BLOCK", Integer.toString(blockSize))
                .replace("$HIDDEN", Integer.toString(spec.hidden()))
                .replace("$HEADS", Integer.toString(spec.heads()))
                .replace("$KEYHEADS", Integer.toString(spec.keyValueHeads()))
                .replace("$SHARE", Integer.toString(spec.heads() / spec.keyValueHeads()))
                .replace("$DIM", Integer.toString(spec.headDim()))
                .replace("$HALF", Integer.toString(spec.rotary().width() / 2))
                .replace("$TURNED", Integer.toString(spec.rotary().width()))
                .replace("$REST", rest())
                .replace("$CAP(", spec.scales().attentionCap() > 0 ? "(self).cap(" : "(")
                .replace("$LIMIT", Double.toString(spec.scales().attentionCap()))
                .replace("$WIDTH", Integer.toString(spec.queryWidth()))
                .replace("$CHUNK", Integer.toString(CHUNK))
                .replace("$MOST", Integer.toString(MOST_SCORES))
                .replace("$EPSILON", Double.toString(spec.normEpsilon()))
                .replace("$SCALE", Double.toString(spec.scales().query()))
                .replace("$GROUPS", Integer.toString(groups.count()))
                .replace("$GROUPOF", list(groups.groupOf()))
                .replace("$WINDOWS", list(groups.windows()))
                .replace("$LAYERS", Integer.toString(spec.layers()))
                .replace("$BASES", list(tensors.bases()));
    }

    /** The part of a head that is not turned, behind the two halves of the one that is. */
    private String rest() {
        return spec.rotary().width() == spec.headDim()
                ? ""
                : ", torch.mul(torch.slice(f, 2, %d, %d), scale)"
                        .formatted(spec.rotary().width(), spec.headDim());
    }

    /** Radians per position of each pair, and what cosines and sines are multiplied with. */
    private record Turn(double[] frequencies, double factor) {

        static Turn of(Rotary rotary) {
            return new Turn(rotary.frequencies(), rotary.attentionFactor());
        }
    }

    /**
     * The rotations of a decoder: that of all layers, or of those without a window and of those with one; behind them,
     * where some layers have none, the one that turns nothing.
     */
    private static List<Turn> rotations(DecoderSpec spec) {
        List<Turn> turns = new ArrayList<>(List.of(Turn.of(spec.rotary())));
        if (spec.features().contains(DecoderFeature.WINDOW_ROTARY)) {
            turns.add(Turn.of(spec.windowRotary()));
        }
        if (spec.features().contains(DecoderFeature.UNTURNED_LAYERS)) {
            turns.add(new Turn(new double[spec.rotary().width() / 2], 1));
        }
        return turns;
    }

    /** Radians per position of each pair, of one rotation after the other. */
    static double[] frequencies(DecoderSpec spec) {
        return rotations(spec).stream()
                .flatMapToDouble(turn -> DoubleStream.of(turn.frequencies))
                .toArray();
    }

    /** A tensor of cosines or sines for each rotation, multiplied with {@code scale}. */
    private String turns(String function, double scale) {
        List<String> turns = new ArrayList<>();
        int half = spec.rotary().width() / 2;
        for (Turn turn : rotations(spec)) {
            int from = turns.size() * half;
            turns.add("torch.unsqueeze(torch.to(torch.mul(torch.%s(torch.slice(angle, 1, %d, %d)), %s), 6), 1)"
                    .formatted(function, from, from + half, turn.factor * scale));
        }
        return "[" + String.join(", ", turns) + "]";
    }

    /** By layer: its rotation. */
    private String rotationOfLayer() {
        boolean windows = spec.features().contains(DecoderFeature.WINDOW_ROTARY);
        int last = rotations(spec).size() - 1;
        return list(IntStream.range(0, spec.layers())
                .mapToObj(i ->
                        !spec.turned().get(i) ? last : windows && spec.windows().get(i) > 0 ? 1 : 0)
                .toList());
    }

    private static String list(List<Integer> numbers) {
        return numbers.stream().map(String::valueOf).collect(Collectors.joining(", ", "[", "]"));
    }

    private static final String HEADER = """
            class $CLASS(Module):
              __parameters__ = []
              __buffers__ = []
              training : bool
              w : List[Tensor]
              k : List[Tensor]
              v : List[Tensor]
              c : List[Tensor]
              h : List[Tensor]
              f : List[Tensor]
            """;

    /** Bytes become weights; pages are made and copied. */
    private static final String LOADING = """
              def map(self: __torch__.$CLASS, file: str, elements: int, code: int) -> NoneType:
                _0 = torch.append(self.f, torch.from_file(file, False, elements, dtype=code))
                return None
              def take(self: __torch__.$CLASS, file: int, offset: int, elements: int, kept: int,
                       shape: List[int]) -> NoneType:
                t = torch.view(torch.slice(self.f[file], 0, offset, offset + elements), shape)
                _0 = torch.append(self.w, torch.to(t, $DEVICE, kept))
                return None
              def add(self: __torch__.$CLASS, values: Tensor, kept: int, shape: List[int]) -> NoneType:
                t = torch.to(torch.view(values, shape), $DEVICE, kept, False, True)
                _0 = torch.append(self.w, t)
                return None
              def join(self: __torch__.$CLASS, values: Tensor, kept: int, shape: List[int]) -> NoneType:
                t = torch.to(torch.view(values, shape), $DEVICE, kept)
                last = torch.len(self.w) - 1
                _0 = torch._set_item(self.w, last, torch.cat([self.w[last], t]))
                return None
              def unmap(self: __torch__.$CLASS) -> NoneType:
                self.f = annotate(List[Tensor], [])
                return None
              def start(self: __torch__.$CLASS, frequencies: Tensor) -> NoneType:
                heads = torch.mul(torch.arange($KEYHEADS), $BLOCK)
                hidden = torch.full([$CHUNK, $CHUNK], -1.0e+30)
                self.c = [torch.to(torch.clone(frequencies), $DEVICE, 7), torch.to(heads, $DEVICE, 4),
                          torch.to(torch.arange($BLOCK), $DEVICE, 4), torch.to(torch.triu(hidden, 1), $DEVICE, $TYPE),
                          torch.to(hidden, $DEVICE, $TYPE)]
                return None
              def pages(self: __torch__.$CLASS, blocks: List[int]) -> NoneType:
                groups = $GROUPOF
                for i in range($LAYERS):
                  n = blocks[groups[i]]
                  z = torch.zeros([n, $KEYHEADS, $BLOCK, $DIM], dtype=$TYPE, device=$DEVICE)
                  _0 = torch.append(self.k, z)
                  _1 = torch.append(self.v, torch.zeros_like(z))
                return None
              def copy(self: __torch__.$CLASS, group: int, pairs: List[int]) -> NoneType:
                groups = $GROUPOF
                for i in range($LAYERS):
                  if groups[i] == group:
                    for j in range(torch.floordiv(torch.len(pairs), 2)):
                      s = pairs[2 * j]
                      t = pairs[2 * j + 1]
                      _0 = torch.copy_(torch.select(self.k[i], 0, t), torch.select(self.k[i], 0, s))
                      _1 = torch.copy_(torch.select(self.v[i], 0, t), torch.select(self.v[i], 0, s))
                return None
            """;

    private String linear(String input, String name, boolean bias) {
        return bias
                ? "torch.linear(%s, %s, %s)"
                        .formatted(input, tensors.inScript(name + ".weight"), tensors.inScript(name + ".bias"))
                : "torch.linear(%s, %s)".formatted(input, tensors.inScript(name + ".weight"));
    }

    private static String norm(String input, String width, String weight) {
        return "torch.rms_norm(%s, [%s], %s, $EPSILON)".formatted(input, width, weight);
    }

    /** What a half of a layer takes, in float32. */
    private String input(String norm) {
        return spec.norms().inputs() ? norm("h", "$HIDDEN", tensors.inScript(norm + ".weight")) : "h";
    }

    private String headNorms() {
        return spec.norms().heads() == Heads.NONE
                ? ""
                : """
                  q = %s
                  k = %s
            """.formatted(
                                headNorm("q", "$HEADS", spec.queryNormWidth()),
                                headNorm("k", "$KEYHEADS", spec.keyNormWidth()));
    }

    private String headNorm(String x, String heads, int width) {
        String weight = tensors.inScript("self_attn.%s_norm.weight".formatted(x));
        return spec.norms().heads() == Heads.EACH
                ? norm("torch.to(%s, 6)".formatted(x), "$DIM", weight)
                : "torch.view(%s, [n, %s, $DIM])"
                        .formatted(
                                norm(
                                        "torch.view(torch.to(%s, 6), [n, %d])".formatted(x, width),
                                        Integer.toString(width),
                                        weight),
                                heads);
    }

    /** What queries are multiplied with by position, beside the scale of all; empty where by nothing. */
    private String growth() {
        QueryGrowth growth = spec.scales().growth();
        return growth.exists() ? """
                at = torch.floor_divide(torch.slice(x, 0, n, 2 * n), %d)
                grown = torch.add(torch.mul(torch.log1p(torch.to(at, 6)), %s), 1.0)
                grown = torch.unsqueeze(torch.unsqueeze(grown, 1), 2)
            """.formatted(growth.context(), growth.beta()) : "";
    }

    /** Queries as they attend. */
    private String query() {
        return spec.scales().growth().exists()
                ? "torch.to(torch.mul((self).rotate(q, qc[r], qs[r], $SCALE), grown), $TYPE)"
                : "(self).rotate(q, qc[r], qs[r], $SCALE)";
    }

    private String layers() {
        String head = "self.w[%d]"
                .formatted(tensors.place(spec.tiedEmbedding() ? DecoderTensors.EMBEDDING : DecoderTensors.HEAD));
        boolean biases = spec.queryKeyValueBias();
        return """
              def step(self: __torch__.$CLASS, given: Tensor, a: List[int]) -> NoneType:
                n = a[0]
                x = torch.to(given, $DEVICE, 4)
                angle = torch.mul(torch.unsqueeze(torch.to(torch.slice(x, 0, n, 2 * n), 7), 1), self.c[0])
                kc = %s
                ks = %s
                qc = %s
                qs = %s
                rotations = %s
            %s\
                plans = annotate(List[List[Tensor]], [])
                for g in range($GROUPS):
                  _0 = torch.append(plans, (self).plan(x, a, a[2 + g]))
                groups = $GROUPOF
                windows = $WINDOWS
                bases = $BASES
                wanted = torch.slice(x, 0, 2 * n, 2 * n + a[1])
                h = %s
                for i in range($LAYERS):
                  g = groups[i]
                  b = bases[i]
                  y = torch.to(%s, $TYPE)
                  q = torch.view(%s, [n, $HEADS, $DIM])
                  k = torch.view(%s, [n, $KEYHEADS, $DIM])
                  v = torch.view(%s, [n, $KEYHEADS, $DIM])
            %s\
                  r = rotations[i]
                  q = %s
                  k = (self).rotate(k, kc[r], ks[r], 1.0)
                  o = (self).attend(q, k, v, self.k[i], self.v[i], plans[g], a, a[2 + g], windows[g])
                  if i == $LAYERS - 1:
                    if a[1] < n:
                      h = torch.index_select(h, 0, wanted)
                      o = torch.index_select(o, 0, wanted)
                  if i < $LAYERS - 1 or a[1] > 0:
                    h = torch.add_(h, %s)
                    y = %s
            %s\
                    h = torch.add_(h, %s)
                if a[1] > 0:
                  self.h = [torch.to(%s, $TYPE)]
                return None
              def logits(self: __torch__.$CLASS, begin: int, end: int) -> Tensor:
                rows = torch.slice(self.h[0], 0, begin, end)
                return %s
            """.formatted(
                        turns("cos", 1),
                        turns("sin", 1),
                        turns("cos", spec.scales().query()),
                        turns("sin", spec.scales().query()),
                        rotationOfLayer(),
                        growth(),
                        embedded(),
                        input("input_layernorm"),
                        linear("y", "self_attn.q_proj", biases),
                        linear("y", "self_attn.k_proj", biases),
                        linear("y", "self_attn.v_proj", biases),
                        headNorms(),
                        query(),
                        added(linear("o", "self_attn.o_proj", spec.outputBias()), "post_attention_layernorm.weight"),
                        input(spec.feedNorm()),
                        feed.call(),
                        added("f", "post_feedforward_layernorm.weight"),
                        norm("h", "$HIDDEN", "self.w[%d]".formatted(tensors.place(DecoderTensors.NORM))),
                        logits(head));
    }

    private String embedded() {
        String rows = "torch.to(torch.embedding(self.w[%d], torch.slice(x, 0, 0, n)), 6)"
                .formatted(tensors.place(DecoderTensors.EMBEDDING));
        double scale = spec.scales().embedding();
        return scale == 1 ? rows : "torch.mul(%s, %s)".formatted(rows, scale);
    }

    /** What a half of a layer gives, as it is added. */
    private String added(String given, String norm) {
        return spec.norms().branches()
                ? norm("torch.to(%s, 6)".formatted(given), "$HIDDEN", tensors.inScript(norm))
                : given;
    }

    private String logits(String head) {
        String logits = "torch.to(torch.linear(rows, %s), torch.device(\"cpu\"), 6)".formatted(head);
        double cap = spec.scales().logitCap();
        return cap == 0 ? logits : "torch.mul(torch.tanh(torch.div(%s, %s)), %s)".formatted(logits, cap, cap);
    }
}
