package dev.jeton.models.torch;

/**
 * The part of {@link DecoderScript} that attends. Pages: for every layer a tensor of keys and one of values,
 * {@code [block][key head][place][element]}, written in place. How rows attend is planned by {@link StepPlan}:
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
 * <p>Hidden scores are masked by a large negative number, so no infinity meets another.
 */
final class AttentionScript {

    private AttentionScript() {}

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

    private static final String ATTEND = """
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

    /** The methods, with what {@link DecoderScript} fills in. */
    static String text() {
        return PLAN + ATTEND;
    }
}
