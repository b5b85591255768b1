package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.jeton.natives.NvmlCalls.Figure;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Function;

/**
 * A GPU as NVML sees it. What a GPU, its driver or its mode has no figure for, is empty; a call that fails otherwise is
 * an {@link NvmlException} that names the GPU. Any thread may ask, until {@link Nvml#close}.
 */
public final class NvmlDevice {

    private static final int TEXT = 96;
    private static final long MEMORY_BYTES = 40;
    /** {@code nvmlMemory_v2_t}: its size, and its version in the highest byte. */
    private static final int MEMORY_VERSION = (int) MEMORY_BYTES | 2 << 24;
    /** {@code nvmlPciInfo_t}: a short bus id, five numbers, and from there the bus id. */
    private static final long PCI_BYTES = 68;

    private static final long PCI_BUS_ID = 36;
    /** {@code nvmlProcessInfo_v2_t}: id, padding, bytes, two instances. */
    private static final long PROCESS_BYTES = 24;

    private static final int MOST_PROCESSES = 1 << 16;
    /** {@code NVML_VALUE_NOT_AVAILABLE}. */
    private static final long NOT_AVAILABLE = -1;

    private static final int GPU_SENSOR = 0;

    private final int index;
    private final MemorySegment handle;
    private final NvmlCalls calls;
    private final String uuid;
    private final String name;
    private final String where;

    NvmlDevice(int index, MemorySegment handle, NvmlCalls calls) {
        this.index = index;
        this.handle = handle;
        this.calls = calls;
        String unnamed = "GPU " + index;
        uuid = with(arena -> {
            MemorySegment text = arena.allocate(TEXT);
            calls.uuid(handle, text, unnamed);
            return text.getString(0);
        });
        where = "GPU %d, %s".formatted(index, uuid);
        name = with(arena -> {
            MemorySegment text = arena.allocate(TEXT);
            calls.name(handle, text, where);
            return text.getString(0);
        });
    }

    private static <T> T with(Function<SegmentAllocator, T> use) {
        try (Arena arena = Arena.ofConfined()) {
            return use.apply(arena);
        }
    }

    /** Its place among the GPUs that this process may see; another after a reboot, perhaps. */
    public int index() {
        return index;
    }

    /** What names it for ever, as {@code GPU-5b6f...}. */
    public String uuid() {
        return uuid;
    }

    /** The product, as {@code NVIDIA H200}. */
    public String name() {
        return name;
    }

    /** Where it is on the PCI bus, as {@code 00000000:65:00.0}. */
    public Optional<String> pciBusId() {
        return with(arena -> {
            MemorySegment out = arena.allocate(PCI_BYTES);
            return calls.figure(Figure.PCI, handle, out, where)
                    ? Optional.of(out.getString(PCI_BUS_ID))
                    : Optional.empty();
        });
    }

    /** How busy it was. */
    public Optional<GpuUtilization> utilization() {
        return with(arena -> {
            MemorySegment out = arena.allocate(2 * JAVA_INT.byteSize());
            return calls.figure(Figure.UTILIZATION, handle, out, where)
                    ? Optional.of(new GpuUtilization(out.getAtIndex(JAVA_INT, 0), out.getAtIndex(JAVA_INT, 1)))
                    : Optional.empty();
        });
    }

    /** Its memory. */
    public Optional<GpuMemory> memory() {
        return with(arena -> {
            MemorySegment out = arena.allocate(MEMORY_BYTES, JAVA_LONG.byteAlignment());
            out.set(JAVA_INT, 0, MEMORY_VERSION);
            return calls.figure(Figure.MEMORY, handle, out, where)
                    ? Optional.of(new GpuMemory(
                            out.getAtIndex(JAVA_LONG, 1),
                            out.getAtIndex(JAVA_LONG, 2),
                            out.getAtIndex(JAVA_LONG, 3),
                            out.getAtIndex(JAVA_LONG, 4)))
                    : Optional.empty();
        });
    }

    /** Power that it draws, watts; on newer GPUs the mean of a second. For energy ask {@link #millijoules}. */
    public OptionalDouble watts() {
        return milliwatts(Figure.POWER);
    }

    /** Power that it may draw at most, watts. */
    public OptionalDouble wattsLimit() {
        return milliwatts(Figure.POWER_LIMIT);
    }

    private OptionalDouble milliwatts(Figure figure) {
        return with(arena -> {
            MemorySegment out = arena.allocate(JAVA_INT);
            return calls.figure(figure, handle, out, where)
                    ? OptionalDouble.of(Integer.toUnsignedLong(out.get(JAVA_INT, 0)) / 1e3)
                    : OptionalDouble.empty();
        });
    }

    /** Energy that it has drawn since the driver was loaded, millijoules. */
    public OptionalLong millijoules() {
        return with(arena -> {
            MemorySegment out = arena.allocate(JAVA_LONG);
            return calls.figure(Figure.ENERGY, handle, out, where)
                    ? OptionalLong.of(out.get(JAVA_LONG, 0))
                    : OptionalLong.empty();
        });
    }

    /** Temperature of the chip, degrees Celsius. */
    public OptionalInt celsius() {
        return with(arena -> {
            MemorySegment out = arena.allocate(JAVA_INT);
            return calls.temperature(handle, GPU_SENSOR, out, where)
                    ? OptionalInt.of(out.get(JAVA_INT, 0))
                    : OptionalInt.empty();
        });
    }

    /** A clock's frequency now, megahertz. */
    public OptionalInt megahertz(GpuClock which) {
        return with(arena -> {
            MemorySegment out = arena.allocate(JAVA_INT);
            return calls.clock(handle, which, out, where) ? OptionalInt.of(out.get(JAVA_INT, 0)) : OptionalInt.empty();
        });
    }

    /** Whether it is divided. */
    public MigMode mig() {
        return with(arena -> {
            MemorySegment current = arena.allocate(JAVA_INT);
            MemorySegment pending = arena.allocate(JAVA_INT);
            if (!calls.mig(handle, current, pending, where)) {
                return MigMode.UNSUPPORTED;
            }
            return current.get(JAVA_INT, 0) == 0 ? MigMode.OFF : MigMode.ON;
        });
    }

    /** Processes with a CUDA context on it. */
    public List<GpuProcess> processes() {
        for (int room = 16; room <= MOST_PROCESSES; room *= 2) {
            List<GpuProcess> found = new ArrayList<>();
            if (processes(room, found)) {
                return List.copyOf(found);
            }
        }
        throw new NativeException("%s has more than %d processes".formatted(where, MOST_PROCESSES));
    }

    private boolean processes(int room, List<GpuProcess> into) {
        return with(arena -> {
            MemorySegment count = arena.allocateFrom(JAVA_INT, room);
            MemorySegment infos = arena.allocate(room * PROCESS_BYTES, JAVA_LONG.byteAlignment());
            if (!calls.processes(handle, count, infos, where)) {
                return false;
            }
            for (int i = 0; i < count.get(JAVA_INT, 0); i++) {
                long at = i * PROCESS_BYTES;
                long used = infos.get(JAVA_LONG, at + JAVA_LONG.byteSize());
                into.add(new GpuProcess(
                        Integer.toUnsignedLong(infos.get(JAVA_INT, at)),
                        used == NOT_AVAILABLE ? OptionalLong.empty() : OptionalLong.of(used)));
            }
            return true;
        });
    }

    @Override
    public String toString() {
        return "%s (%s)".formatted(where, name);
    }
}
