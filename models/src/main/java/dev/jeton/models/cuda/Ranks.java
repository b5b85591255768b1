package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.natives.CudaDevice;
import dev.jeton.natives.CudaDriver;
import dev.jeton.natives.NativeException;
import dev.jeton.natives.Nccl;
import dev.jeton.natives.NcclRanks;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The devices of an engine, each with its thread, joined by NCCL where there are several. They are loaded at the same
 * time, do each step together and close together; where one fails all are given up.
 *
 * <p>Owned by the engine's thread.
 */
final class Ranks implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Ranks.class);

    /** What is done for a device. */
    interface Work {
        void run(DeviceRank rank);
    }

    private final RankThreads threads;
    private final AtomicReference<Optional<NcclRanks>> joined = new AtomicReference<>(Optional.empty());
    private final Device[] devices;
    private final DeviceRank[] ranks;
    private final BlockCopies[] copies;
    private final RankThreads.Work perform = this::perform;
    private Work work = rank -> {};
    private volatile boolean givenUp;

    private Ranks(int count) {
        devices = new Device[count];
        ranks = new DeviceRank[count];
        copies = new BlockCopies[count];
        threads = new RankThreads(count, this::giveUp);
    }

    /**
     * Opens the devices that the options name.
     *
     * @throws ModelException where there are no such devices, or some that cannot share a model
     */
    static Ranks open(DeviceLibraries libraries, DeviceOptions options, DeviceShape.Type type) {
        List<CudaDevice> named = named(libraries, options);
        int capabilities = (int) named.stream()
                .map(device -> device.attributes().capability())
                .distinct()
                .count();
        if (capabilities > 1) {
            throw new ModelException("GPUs that share a model must be of one kind; these are %s".formatted(named));
        }
        Optional<Nccl> nccl =
                libraries.joinOne() || named.size() > 1 ? Optional.of(Nccl.open(libraries.nccl())) : Optional.empty();
        Ranks ranks = new Ranks(named.size());
        try {
            ranks.threads.all(rank -> ranks.devices[rank] = Device.open(libraries, named.get(rank), options, type));
            nccl.ifPresent(library -> ranks.join(library));
            return ranks;
        } catch (RuntimeException | Error e) {
            ranks.close();
            throw e;
        }
    }

    /**
     * Which GPUs the options name: by their list, or the first ones.
     *
     * @throws dev.jeton.natives.LibraryMissingException naming what is missing and where it was looked for
     * @throws dev.jeton.natives.NoSuchDeviceException naming the GPUs that there are
     * @throws ModelException where there are fewer than the model is to be divided among, or others
     */
    private static List<CudaDevice> named(DeviceLibraries libraries, DeviceOptions options) {
        CudaDriver driver = CudaDriver.open(libraries.driver());
        int count = options.tensorParallel();
        if (options.device().isEmpty() && count > 1) {
            if (driver.devices().size() < count) {
                throw new ModelException(
                        "--tensor-parallel-size %d: this process may see %d GPUs (see CUDA_VISIBLE_DEVICES)"
                                .formatted(count, driver.devices().size()));
            }
            return driver.devices().subList(0, count);
        }
        List<CudaDevice> named = Arrays.stream(options.device().split(",", -1))
                .map(String::strip)
                .map(driver::device)
                .toList();
        if (named.size() != count || named.stream().distinct().count() != count) {
            throw new ModelException("--device %s names %d different GPUs, and --tensor-parallel-size is %d"
                    .formatted(options.device(), named.stream().distinct().count(), count));
        }
        return named;
    }

    private void join(Nccl nccl) {
        NcclRanks all = Device.join(nccl, List.of(devices));
        joined.set(Optional.of(all));
        LOG.info("{} GPUs share the model, joined by NCCL {}", all.count(), nccl.version());
    }

    /** From any thread. */
    private void giveUp() {
        givenUp = true;
        joined.get().ifPresent(NcclRanks::abort);
    }

    /** How many there are. */
    int count() {
        return devices.length;
    }

    /** Names of the devices, by rank. */
    List<String> names() {
        return Arrays.stream(devices).map(Device::name).toList();
    }

    /** Whether nothing can be done with them any more, since one has failed. */
    boolean givenUp() {
        return givenUp;
    }

    /**
     * Loads a model's parts; what the first compiles, the others find.
     *
     * @param shapes by rank
     * @param context most tokens of a sequence
     */
    void load(
            Path folder,
            EngineOptions options,
            List<DeviceShape> shapes,
            CheckpointQuantization checkpoint,
            int context) {
        StepKernels[] kernels = new StepKernels[count()];
        boolean adapters = !options.adapters().isEmpty();
        threads.all(rank -> {
            DeviceRank.requireRoom(folder, options, shapes.get(rank), checkpoint, devices[rank]);
            if (rank == 0) {
                kernels[0] = StepKernels.load(devices[0], shapes.getFirst(), adapters);
            }
        });
        threads.all(rank -> {
            if (rank > 0) {
                kernels[rank] = StepKernels.load(devices[rank], shapes.get(rank), adapters);
            }
            ranks[rank] = DeviceRank.load(
                    folder, options, shapes.get(rank), checkpoint, context, devices[rank], kernels[rank]);
        });
        threads.all(rank -> ranks[rank].warmUp(options.device().search()));
    }

    /** Bytes that pages may take on each device: what the fullest has. */
    long mostPageBytes() {
        long[] bytes = new long[count()];
        threads.all(rank -> bytes[rank] = ranks[rank].mostPageBytes());
        return Arrays.stream(bytes).min().orElseThrow();
    }

    /** Takes the memory of pages on each device. */
    void pages(List<LayerGroup> groups) {
        threads.all(rank -> copies[rank] = ranks[rank].pages(groups));
    }

    /** The first device, which is the engine's thread's. */
    DeviceRank first() {
        return ranks[0];
    }

    /** Makes the first device the calling thread's. */
    void enter() {
        devices[0].enter();
    }

    /**
     * Does something for every device at the same time.
     *
     * @throws EngineException where all refused it, and go on
     * @throws NativeException where one failed; all are given up
     */
    void all(Work next) {
        work = next;
        threads.all(perform);
    }

    /**
     * The same of what one device may refuse although another has done it, since nothing follows from it.
     *
     * @throws EngineException where one refused it
     */
    void each(Work next) {
        work = next;
        threads.each(perform);
    }

    private void perform(int rank) {
        work.run(ranks[rank]);
    }

    /** Copies blocks within each device. */
    void copy(int group, int[] from, int[] to, int count) {
        threads.all(rank -> {
            copies[rank].copy(group, from, to, count);
            ranks[rank].host().ifPresent(HostPages::copied);
        });
    }

    /** Blocks that have come to where they were sent on every device, as each has just counted them. */
    long leastMoved() {
        long least = ranks[0].moved();
        for (DeviceRank rank : ranks) {
            least = Math.min(least, rank.moved());
        }
        return least;
    }

    /** Lets go of all devices, in the order in which they can be; one that is lost does not keep the others. */
    @Override
    public void close() {
        quietly(() -> threads.all(this::settle));
        quietly(() -> joined.get().ifPresent(NcclRanks::close));
        quietly(() -> threads.all(rank -> Optional.ofNullable(devices[rank]).ifPresent(Device::close)));
        threads.close();
    }

    /** Recorded work must be done and gone before the devices part. */
    private void settle(int rank) {
        if (ranks[rank] != null && joined.get().isPresent()) {
            devices[rank].settle();
            ranks[rank].close();
        }
    }

    private static void quietly(Runnable work) {
        try {
            work.run();
        } catch (NativeException e) {
            LOG.warn("GPUs could not be let go of in good order: {}", e.getMessage());
        }
    }
}
