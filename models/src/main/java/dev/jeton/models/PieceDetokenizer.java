package dev.jeton.models;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Detokenizes by the bytes of each piece: bytes are appended, whole characters come out, and the at most three bytes of
 * a character still incomplete wait. Costs no call into the tokenizers library and no look back.
 */
final class PieceDetokenizer implements Detokenizer {

    private static final String BROKEN = "\uFFFD";

    private final PieceDecoder pieces;
    private final IntPredicate skipped;
    private byte[] pending = new byte[64];
    private final StringBuilder text = new StringBuilder();
    private int count;
    private int fallbackCount;
    private boolean first = true;
    private boolean begun;

    /** @param skipped ids that are no text */
    PieceDetokenizer(PieceDecoder pieces, IntPredicate skipped) {
        this.pieces = pieces;
        this.skipped = skipped;
    }

    @Override
    public String add(int token) {
        if (skipped.test(token)) {
            return "";
        }
        byte[] bytes = pieces.bytes(token);
        String before = "";
        if (pieces.fallback(token)) {
            fallbackCount++;
        } else if (fallbackCount > 0) {
            before = endFallback();
        }
        int from = 0;
        if (first && pieces.start() == PieceDecoder.Start.STRIP_FIRST_TOKEN) {
            while (from < bytes.length && bytes[from] == ' ') {
                from++;
            }
        }
        first = false;
        append(bytes, from);
        return begin(before + decode(false));
    }

    @Override
    public String finish() {
        return begin(fallbackCount > 0 ? endFallback() : decode(true));
    }

    /** Bytes of a character that stays incomplete count one by one, as in the tokenizers library's byte fallback. */
    private String endFallback() {
        String broken = BROKEN.repeat(count);
        count = 0;
        fallbackCount = 0;
        return broken;
    }

    private void append(byte[] bytes, int from) {
        int length = bytes.length - from;
        if (count + length > pending.length) {
            pending = Arrays.copyOf(pending, Math.max(2 * pending.length, count + length));
        }
        System.arraycopy(bytes, from, pending, count, length);
        count += length;
    }

    /**
     * Takes whole characters off the pending bytes; broken ones become U+FFFD by maximal subparts, as Unicode (section
     * 3.9) recommends and the tokenizers library does. Java's own decoder differs in encoded surrogates.
     */
    private String decode(boolean end) {
        text.setLength(0);
        int at = 0;
        while (at < count) {
            int lead = pending[at] & 0xff;
            int more = more(lead);
            int good = 1;
            while (good <= more && at + good < count && continues(lead, good, pending[at + good] & 0xff)) {
                good++;
            }
            if (more >= 0 && good > more) {
                text.appendCodePoint(codePoint(at, lead, more));
            } else if (more > 0 && at + good == count && !end) {
                break;
            } else {
                text.append(BROKEN);
            }
            at += good;
        }
        System.arraycopy(pending, at, pending, 0, count - at);
        count -= at;
        return text.toString();
    }

    /** How many bytes follow a lead byte; -1 where it cannot lead. */
    private static int more(int lead) {
        if (lead < 0x80) {
            return 0;
        }
        return lead < 0xc2 || lead > 0xf4 ? -1 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    }

    private static boolean continues(int lead, int index, int b) {
        int least = index > 1 ? 0x80 : lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        int most = index > 1 ? 0xbf : lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        return b >= least && b <= most;
    }

    private int codePoint(int at, int lead, int more) {
        int point = more == 0 ? lead : lead & 0x3f >> more;
        for (int i = 1; i <= more; i++) {
            point = point << 6 | pending[at + i] & 0x3f;
        }
        return point;
    }

    private String begin(String decoded) {
        if (begun || decoded.isEmpty()) {
            return decoded;
        }
        begun = true;
        return pieces.start() == PieceDecoder.Start.STRIP_ONE && decoded.charAt(0) == ' '
                ? decoded.substring(1)
                : decoded;
    }
}
