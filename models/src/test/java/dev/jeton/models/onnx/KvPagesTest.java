package dev.jeton.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OnnxJavaType;
import dev.jeton.models.OnnxFolder;
import dev.jeton.models.engine.LayerGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class KvPagesTest {

    private static final int HEADS = 3;
    private static final int ELEMENTS = 2;
    private static final int SIZE = 4;
    private static final DecoderGraph GRAPH = new DecoderGraph(
            OnnxFolder.Names.OPTIMUM,
            2,
            HEADS,
            ELEMENTS,
            OnnxJavaType.FLOAT,
            OnnxJavaType.FLOAT,
            10,
            false,
            true,
            false,
            false,
            OnnxJavaType.INT64,
            Optional.empty(),
            Optional.empty());

    private static KvPages pages() {
        return new KvPages(new LayerGroup(SIZE, 8, 4L * 2 * 2 * HEADS * ELEMENTS * SIZE, 0), GRAPH);
    }

    /** Tokens written in pieces to blocks in any order come back in the sequence's order. */
    @Test
    void gathersWhatWasScattered() {
        int[] table = {9, 6, 1, 7, 0};
        try (KvPages pages = pages();
                Arena arena = Arena.ofConfined()) {
            int tokens = 15;
            long bytes = 4L * ELEMENTS * tokens;
            for (int plane = 0; plane < 4; plane++) {
                for (int head = 0; head < HEADS; head++) {
                    MemorySegment source = arena.allocate(bytes, 8);
                    Random random = new Random(plane * 10L + head);
                    for (int i = 0; i < ELEMENTS * tokens; i++) {
                        source.setAtIndex(ValueLayout.JAVA_FLOAT, i, random.nextFloat());
                    }
                    for (int first = 0; first < tokens; ) {
                        int end = Math.min(tokens, first + 1 + random.nextInt(6));
                        pages.scatter(plane, head, table, 1, first, end, source, 4L * ELEMENTS * first);
                        first = end;
                    }
                    MemorySegment target = arena.allocate(bytes + 8, 8);
                    pages.gather(plane, head, table, 1, tokens, target, 8);
                    assertThat(target.asSlice(8).mismatch(source)).isEqualTo(-1);
                }
            }
        }
    }

    /** The tensor that begins at a sequence's first block holds its tokens where its blocks follow each other. */
    @Test
    void isATensorWhereBlocksFollowEachOther() {
        try (KvPages pages = pages();
                Arena arena = Arena.ofConfined()) {
            int[] table = {5, 6, 7};
            assertThat(pages.contiguous(table, 0, 12)).isTrue();
            assertThat(pages.contiguous(new int[] {5, 7}, 0, 8)).isFalse();
            assertThat(pages.contiguous(new int[] {5, 7}, 0, SIZE)).isTrue();
            MemorySegment source = arena.allocate(4L * ELEMENTS * 12, 8);
            source.fill((byte) 7);
            pages.scatter(3, HEADS - 1, table, 0, 0, 12, source, 0);
            MemorySegment tensor = pages.plane(3, 5);
            long head = 4L * ELEMENTS * pages.tokens() * (HEADS - 1);
            assertThat(tensor.asSlice(head, source.byteSize()).mismatch(source)).isEqualTo(-1);
            assertThat(tensor.get(ValueLayout.JAVA_BYTE, head + source.byteSize()))
                    .isZero();
        }
    }

    @Test
    void copiesWholeBlocks() {
        try (KvPages pages = pages();
                Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(4L * ELEMENTS * SIZE, 8);
            source.fill((byte) 3);
            pages.scatter(2, 1, new int[] {4}, 0, 0, SIZE, source, 0);
            pages.copy(4, 2);
            MemorySegment target = arena.allocate(source.byteSize(), 8);
            pages.gather(2, 1, new int[] {2}, 0, SIZE, target, 0);
            assertThat(target.mismatch(source)).isEqualTo(-1);
        }
    }
}
