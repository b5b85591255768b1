package dev.jeton.models.torch;

import dev.jeton.models.DecoderFeature;
import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Rotary;
import dev.jeton.models.WindowGroups;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;

/**
 * Writes a decoder in TorchScript, from the same description that the other engines interpret. One call of {@code step}
 * computes all layers of a step; {@code logits} then gives rows of logits.
 *
 * <p>Pages: for every layer a tensor of keys and one of values, {@code [block][key head][place][element]}, written in
 * place. How rows attend is planned by {@link StepPlan}:
 *
 * <ul>
 *   <li>Rows of few inputs, by groups: each pair of a query and one of its blocks is an entry. One batched product
 *       gives the scores of all entries and key heads, read from the pages as they lie where a group's blocks are
 *       neighbours, else gathered once. Softmax runs over a query's entries, by an index that pads them to the group's
 *       most; what is padded is scores and outputs, never keys. A query alone needs no index.
 *   <li>Rows of many inputs, one by one, in chunks of queries over the keys that the chunk may see: their own fresh
 *       keys at position 0, otherwise the pages.
 * </ul>
 *
 * <p>Products, keys and values have the weights' type; the residual stream, norms, rotation and the softmax's sums are
 * float32. Hidden scores are masked by a large negative number, so no infinity meets another.
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
        return fill(HEADER + LOADING + PLAN + attend() + layers());
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
                .replace("$STRIDE", Integer.toString(tensors.layer().size()));
    }

    /** The part of a head that is not turned, behind the two halves of the one that is. */
    private String rest() {
        return spec.rotary().width() == spec.headDim()
                ? ""
                : ", torch.mul(torch.slice(f, 2, %d, %d), scale)"
                        .formatted(spec.rotary().width(), spec.headDim());
    }

    /** The rotations of a decoder: one for all layers, or that of layers without a window and that of those with one. */
    private static List<Rotary> rotations(DecoderSpec spec) {
        return spec.features().contains(DecoderFeature.WINDOW_ROTARY)
                ? List.of(spec.rotary(), spec.windowRotary())
                : List.of(spec.rotary());
    }

    /** Radians per position of each pair, of one rotation after the other. */
    static double[] frequencies(DecoderSpec spec) {
        return rotations(spec).stream()
                .flatMapToDouble(rotary -> DoubleStream.of(rotary.frequencies()))
                .toArray();
    }

    /** A tensor of cosines or sines for each rotation, multiplied with {@code scale}. */
    private String turns(String function, double scale) {
        List<String> turns = new ArrayList<>();
        int half = spec.rotary().width() / 2;
        for (Rotary rotary : rotations(spec)) {
            int from = turns.size() * half;
            turns.add("torch.unsqueeze(torch.to(torch.mul(torch.%s(torch.slice(angle, 1, %d, %d)), %s), 6), 1)"
                    .formatted(function, from, from + half, rotary.attentionFactor() * scale));
        }
        return "[" + String.join(", ", turns) + "]";
    }

    /** By layer: its rotation. */
    private String rotationOfLayer() {
        boolean one = rotations(spec).size() == 1;
        return list(spec.windows().stream()
                .map(window -> one || window == 0 ? 0 : 1)
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

    /** Tensors of a layer group that all its layers share; see {@link StepPlan} for the numbers. */
    private static final String PLAN = """
              def plan(self: __torch__.$CLASS, x: Tensor, a: List[int], p: int) -> List[Tensor]:
                n = a[0]
                o = a[p]
                slots = torch.unsqueeze(torch.slice(x, 0, o, o + n), 1)
                out = [torch.view(torch.add(slots, self.c[1]), [-1]), torch.slice(x, 0, o + n, o + n + a[p + 1])]
                for d in range(a[p + 2]):
                  e = p + 4 + 5 * d
                  rows = a[e]
                  m = a[e + 1]
                  b = a[e + 4]
                  bounds = torch.unsqueeze(torch.slice(x, 0, b + 3 * m, b + 5 * m), 1)
                  low = torch.le(torch.slice(bounds, 0, 0, m), self.c[2])
                  high = torch.gt(torch.slice(bounds, 0, m, 2 * m), self.c[2])
                  hidden = torch.mul(torch.to(torch.logical_not(torch.logical_and(low, high)), 6), -1.0e+30)
                  end = b + 5 * m
                  pads = rows * a[e + 2]
                  _0 = torch.append(out, torch.slice(x, 0, b, b + m))
                  _1 = torch.append(out, torch.slice(x, 0, b + m, b + 2 * m))
                  _2 = torch.append(out, torch.slice(x, 0, b + 2 * m, b + 3 * m))
                  _3 = torch.append(out, torch.unsqueeze(hidden, 1))
                  _4 = torch.append(out, torch.slice(x, 0, end, end + pads))
                  _5 = torch.append(out, torch.slice(x, 0, end + pads, end + pads + rows))
                for d in range(a[p + 3]):
                  e = p + 4 + 5 * a[p + 2] + 6 * d
                  _6 = torch.append(out, torch.slice(x, 0, a[e + 5], a[e + 5] + a[e + 3]))
                return out
              def cap(self: __torch__.$CLASS, s: Tensor) -> Tensor:
                return torch.mul(torch.tanh(torch.div(s, $LIMIT)), $LIMIT)
              def rotate(self: __torch__.$CLASS, x: Tensor, c: Tensor, s: Tensor, scale: float) -> Tensor:
                f = torch.to(x, 6)
                x1 = torch.slice(f, 2, 0, $HALF)
                x2 = torch.slice(f, 2, $HALF, $TURNED)
                y1 = torch.addcmul(torch.mul(x1, c), x2, s, value=-1)
                y2 = torch.addcmul(torch.mul(x2, c), x1, s)
                return torch.to(torch.cat([y1, y2$REST], 2), $TYPE)
              def blocks(self: __torch__.$CLASS, pages: Tensor, index: Tensor, first: int, n: int) -> Tensor:
                if first >= 0:
                  b = torch.slice(pages, 0, first, first + n)
                else:
                  b = torch.index_select(pages, 0, index)
                return b
            """;

    private static String attend() {
        return """
              def one(self: __torch__.$CLASS, q: Tensor, kp: Tensor, vp: Tensor, t: List[Tensor], at: int, n: int,
                      first: int) -> Tensor:
                kb = torch.view((self).blocks(kp, t[at], first, n), [n * $KEYHEADS, $BLOCK, $DIM])
                qe = torch.view(torch.index_select(q, 0, t[at + 1]), [n * $KEYHEADS, $SHARE, $DIM])
                s = $CAP(torch.view(torch.to(torch.bmm(qe, torch.transpose(kb, 1, 2)), 6), [n, $HEADS, $BLOCK]))
                s = torch.reshape(torch.transpose(torch.add(s, t[at + 3]), 0, 1), [$HEADS, n * $BLOCK])
                p = torch.view(torch.to(torch.softmax(s, 1), $TYPE), [$HEADS, n, $BLOCK])
                p = torch.reshape(torch.transpose(p, 0, 1), [n * $KEYHEADS, $SHARE, $BLOCK])
                vb = torch.view((self).blocks(vp, t[at], first, n), [n * $KEYHEADS, $BLOCK, $DIM])
                o = torch.sum(torch.view(torch.bmm(p, vb), [n, $WIDTH]), [0], True, dtype=6)
                return torch.to(o, $TYPE)
              def few(self: __torch__.$CLASS, q: Tensor, kp: Tensor, vp: Tensor, t: List[Tensor], at: int, rows: int,
                      n: int, places: int, first: int) -> Tensor:
                kb = torch.view((self).blocks(kp, t[at], first, n), [n * $KEYHEADS, $BLOCK, $DIM])
                qe = torch.view(torch.index_select(q, 0, t[at + 1]), [n * $KEYHEADS, $SHARE, $DIM])
                s = $CAP(torch.view(torch.to(torch.bmm(qe, torch.transpose(kb, 1, 2)), 6), [n, $HEADS, $BLOCK]))
                s = torch.add(s, t[at + 3])
                most = torch.amax(s, [2])
                most = torch.cat([most, torch.full([1, $HEADS], -1.0e+30, dtype=6, device=$DEVICE)])
                most = torch.amax(torch.view(torch.index_select(most, 0, t[at + 4]), [rows, places, $HEADS]), [1])
                e = torch.exp_(torch.sub_(s, torch.unsqueeze(torch.index_select(most, 0, t[at + 2]), 2)))
                sums = torch.cat([torch.sum(e, [2]), torch.zeros([1, $HEADS], dtype=6, device=$DEVICE)])
                sums = torch.sum(torch.view(torch.index_select(sums, 0, t[at + 4]), [rows, places, $HEADS]), [1])
                p = torch.view(torch.to(e, $TYPE), [n * $KEYHEADS, $SHARE, $BLOCK])
                vb = torch.view((self).blocks(vp, t[at], first, n), [n * $KEYHEADS, $BLOCK, $DIM])
                o = torch.view(torch.bmm(p, vb), [n, $WIDTH])
                o = torch.cat([o, torch.zeros([1, $WIDTH], dtype=$TYPE, device=$DEVICE)])
                o = torch.view(torch.index_select(o, 0, t[at + 4]), [rows, places, $WIDTH])
                o = torch.view(torch.sum(o, [1], False, dtype=6), [rows, $HEADS, $DIM])
                return torch.view(torch.to(torch.div(o, torch.unsqueeze(sums, 2)), $TYPE), [rows, $WIDTH])
              def many(self: __torch__.$CLASS, q: Tensor, k: Tensor, v: Tensor, start: int, count: int, before: int,
                       window: int, out: Tensor) -> NoneType:
                keys = torch.size(k, 1)
                size = torch.floordiv($MOST, keys * $HEADS)
                if size > $CHUNK:
                  size = $CHUNK
                if size < 1:
                  size = 1
                done = 0
                while done < count:
                  n = size
                  if done + n > count:
                    n = count - done
                  end = before + done + n
                  edge = 0
                  if window > 0:
                    edge = before + done - window + 1
                  begin = 0
                  if edge > 0:
                    begin = edge
                  qc = torch.view(torch.slice(q, 0, start + done, start + done + n), [n, $KEYHEADS, $SHARE, $DIM])
                  qc = torch.reshape(torch.permute(qc, [1, 2, 0, 3]), [$KEYHEADS, $SHARE * n, $DIM])
                  kc = torch.slice(k, 1, begin, end)
                  s = $CAP(torch.view(torch.bmm(qc, torch.transpose(kc, 1, 2)), [$KEYHEADS, $SHARE, n, end - begin]))
                  own = torch.slice(torch.slice(self.c[3], 0, 0, n), 1, 0, n)
                  _0 = torch.add_(torch.slice(s, 3, end - n - begin, end - begin), own)
                  if window > 0:
                    wide = end - begin
                    if wide > n:
                      wide = n
                    gone = torch.tril(self.c[4], edge - begin - 1)
                    _1 = torch.add_(torch.slice(s, 3, 0, wide), torch.slice(torch.slice(gone, 0, 0, n), 1, 0, wide))
                  p = torch.view(torch.softmax(s, -1), [$KEYHEADS, $SHARE * n, end - begin])
                  o = torch.view(torch.bmm(p, torch.slice(v, 1, begin, end)), [$KEYHEADS, $SHARE, n, $DIM])
                  target = torch.view(torch.slice(out, 0, start + done, start + done + n), [n, $KEYHEADS, $SHARE, $DIM])
                  _2 = torch.copy_(target, torch.permute(o, [2, 0, 1, 3]))
                  done = done + n
                return None
              def attend(self: __torch__.$CLASS, q: Tensor, k: Tensor, v: Tensor, kp: Tensor, vp: Tensor,
                         t: List[Tensor], a: List[int], p: int, window: int) -> Tensor:
                if a[p + 1] > 0:
                  _0 = torch.index_fill_(kp, 0, t[1], 0)
                  _1 = torch.index_fill_(vp, 0, t[1], 0)
                _2 = torch.index_copy_(torch.view(kp, [-1, $DIM]), 0, t[0], torch.view(k, [-1, $DIM]))
                _3 = torch.index_copy_(torch.view(vp, [-1, $DIM]), 0, t[0], torch.view(v, [-1, $DIM]))
                out = torch.empty([a[0], $WIDTH], dtype=$TYPE, device=$DEVICE)
                for d in range(a[p + 2]):
                  e = p + 4 + 5 * d
                  if a[e] == 1:
                    o = (self).one(q, kp, vp, t, 2 + 6 * d, a[e + 1], a[e + 3])
                  else:
                    o = (self).few(q, kp, vp, t, 2 + 6 * d, a[e], a[e + 1], a[e + 2], a[e + 3])
                  _4 = torch.index_copy_(out, 0, t[7 + 6 * d], o)
                for d in range(a[p + 3]):
                  e = p + 4 + 5 * a[p + 2] + 6 * d
                  start = a[e]
                  count = a[e + 1]
                  n = a[e + 3]
                  if n == 0:
                    kr = torch.transpose(torch.slice(k, 0, start, start + count), 0, 1)
                    vr = torch.transpose(torch.slice(v, 0, start, start + count), 0, 1)
                    (self).many(q, kr, vr, start, count, 0, window, out)
                  else:
                    index = t[2 + 6 * a[p + 2] + d]
                    kb = torch.permute((self).blocks(kp, index, a[e + 4], n), [1, 0, 2, 3])
                    vb = torch.permute((self).blocks(vp, index, a[e + 4], n), [1, 0, 2, 3])
                    kr = torch.reshape(kb, [$KEYHEADS, n * $BLOCK, $DIM])
                    vr = torch.reshape(vb, [$KEYHEADS, n * $BLOCK, $DIM])
                    (self).many(q, kr, vr, start, count, a[e + 2], window, out)
                return out
            """;
    }

    private String weight(String name) {
        return "self.w[b + " + tensors.inLayer(name) + "]";
    }

    private String linear(String input, String name, boolean bias) {
        return bias
                ? "torch.linear(%s, %s, %s)".formatted(input, weight(name + ".weight"), weight(name + ".bias"))
                : "torch.linear(%s, %s)".formatted(input, weight(name + ".weight"));
    }

    private static String norm(String input, String width, String weight) {
        return "torch.rms_norm(%s, [%s], %s, $EPSILON)".formatted(input, width, weight);
    }

    private String layers() {
        String head = "self.w[%d]"
                .formatted(tensors.place(spec.tiedEmbedding() ? DecoderTensors.EMBEDDING : DecoderTensors.HEAD));
        boolean biases = spec.queryKeyValueBias();
        String beforeFeed =
                spec.norms().branches() ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight";
        String headNorms = spec.headNorms()
                ? """
                  q = %s
                  k = %s
            """.formatted(
                                norm("torch.to(q, 6)", "$DIM", weight("self_attn.q_norm.weight")),
                                norm("torch.to(k, 6)", "$DIM", weight("self_attn.k_norm.weight")))
                : "";
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
                plans = annotate(List[List[Tensor]], [])
                for g in range($GROUPS):
                  _0 = torch.append(plans, (self).plan(x, a, a[2 + g]))
                groups = $GROUPOF
                windows = $WINDOWS
                wanted = torch.slice(x, 0, 2 * n, 2 * n + a[1])
                h = %s
                for i in range($LAYERS):
                  g = groups[i]
                  b = i * $STRIDE
                  y = torch.to(%s, $TYPE)
                  q = torch.view(%s, [n, $HEADS, $DIM])
                  k = torch.view(%s, [n, $KEYHEADS, $DIM])
                  v = torch.view(%s, [n, $KEYHEADS, $DIM])
            %s\
                  r = rotations[i]
                  q = (self).rotate(q, qc[r], qs[r], $SCALE)
                  k = (self).rotate(k, kc[r], ks[r], 1.0)
                  o = (self).attend(q, k, v, self.k[i], self.v[i], plans[g], a, a[2 + g], windows[g])
                  if i == $LAYERS - 1:
                    if a[1] < n:
                      h = torch.index_select(h, 0, wanted)
                      o = torch.index_select(o, 0, wanted)
                  if i < $LAYERS - 1 or a[1] > 0:
                    h = torch.add_(h, %s)
                    y = torch.to(%s, $TYPE)
                    f = torch.mul_(%s, %s)
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
                        embedded(),
                        norm("h", "$HIDDEN", weight("input_layernorm.weight")),
                        linear("y", "self_attn.q_proj", biases),
                        linear("y", "self_attn.k_proj", biases),
                        linear("y", "self_attn.v_proj", biases),
                        headNorms,
                        added(linear("o", "self_attn.o_proj", spec.outputBias()), "post_attention_layernorm.weight"),
                        norm("h", "$HIDDEN", weight(beforeFeed)),
                        activated(linear("y", "mlp.gate_proj", false)),
                        linear("y", "mlp.up_proj", false),
                        added(linear("f", "mlp.down_proj", false), "post_feedforward_layernorm.weight"),
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
        return spec.norms().branches() ? norm("torch.to(%s, 6)".formatted(given), "$HIDDEN", weight(norm)) : given;
    }

    private String activated(String gate) {
        return switch (spec.activation()) {
            case SILU -> "torch.silu_(%s)".formatted(gate);
            case GELU_TANH -> "torch.gelu(%s, approximate=\"tanh\")".formatted(gate);
        };
    }

    private String logits(String head) {
        String logits = "torch.to(torch.linear(rows, %s), torch.device(\"cpu\"), 6)".formatted(head);
        double cap = spec.scales().logitCap();
        return cap == 0 ? logits : "torch.mul(torch.tanh(torch.div(%s, %s)), %s)".formatted(logits, cap, cap);
    }
}
