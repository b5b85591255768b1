package dev.jeton.benchmarks.load;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sends a workload to a target: a fixed number of clients at a time, or Poisson arrivals at a rate. */
public final class LoadGenerator {

    private static final Pattern MODEL_ID = Pattern.compile("\"id\"\\s*:\\s*\"((?:[^\"\\\\]|\\\\.)*)\"");

    /**
     * How requests arrive.
     *
     * @param requests how many in all
     * @param warmUp further requests before, not counted
     * @param concurrency clients at a time; with a rate, the most at a time
     * @param rate requests per second, arriving at random; 0 sends the next when one has ended
     * @param stream whether answers are streamed
     * @param ignoreEos whether generation goes on past the end token
     */
    public record Plan(int requests, int warmUp, int concurrency, double rate, boolean stream, boolean ignoreEos) {

        /** Checks that there is something to do, within bounds. */
        public Plan {
            if (requests < 1 || warmUp < 0 || concurrency < 1 || concurrency > 10_000 || rate < 0) {
                throw new IllegalArgumentException(
                        "requests %d, concurrency %d (at most 10000), rate %s".formatted(requests, concurrency, rate));
            }
        }
    }

    private final Target target;
    private final Workload workload;
    private final Plan plan;

    /** A generator for one run. */
    public LoadGenerator(Target target, Workload workload, Plan plan) {
        this.target = target;
        this.workload = workload;
        this.plan = plan;
    }

    /** The first model that a server lists. */
    public static Target withFirstModel(Target target) throws IOException {
        try (HttpConnection connection = new HttpConnection(target)) {
            int status = connection.send("GET", "/models", new byte[0]);
            String answer = connection.readAll();
            Matcher id = MODEL_ID.matcher(answer);
            if (status != 200 || !id.find()) {
                throw new IOException("HTTP %d from %s/models: %s".formatted(status, target.path(), answer));
            }
            return target.withModel(id.group(1));
        }
    }

    /**
     * Runs the plan.
     *
     * @param progress told how many requests have ended, by any thread
     */
    public Report run(IntConsumer progress) throws InterruptedException {
        if (plan.warmUp() > 0) {
            new Run(0, plan.warmUp(), ended -> {}).go();
        }
        long cpuBefore = processCpu();
        long begin = System.nanoTime();
        List<Sample> samples = new Run(plan.warmUp(), plan.requests(), progress).go();
        long wall = System.nanoTime() - begin;
        return new Report(samples, wall, (double) (processCpu() - cpuBefore) / wall);
    }

    private static long processCpu() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean os
                ? os.getProcessCpuTime()
                : 0;
    }

    /** One pass over a range of the workload. */
    private final class Run {
        private final int first;
        private final int count;
        private final IntConsumer progress;
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger ended = new AtomicInteger();
        private final ConcurrentLinkedQueue<Sample> samples = new ConcurrentLinkedQueue<>();
        private final ConcurrentLinkedQueue<LoadClient> idle = new ConcurrentLinkedQueue<>();

        Run(int first, int count, IntConsumer progress) {
            this.first = first;
            this.count = count;
            this.progress = progress;
        }

        List<Sample> go() throws InterruptedException {
            try (ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
                if (plan.rate() > 0) {
                    open(clients);
                } else {
                    for (int i = 0; i < Math.min(plan.concurrency(), count); i++) {
                        clients.execute(this::closedLoop);
                    }
                }
            }
            for (LoadClient client : idle) {
                close(client);
            }
            return new ArrayList<>(samples);
        }

        private static void close(LoadClient client) {
            try {
                client.close();
            } catch (IOException e) {
                // closing a connection after its last answer
                return;
            }
        }

        private void closedLoop() {
            LoadClient client = new LoadClient(target, plan.stream(), plan.ignoreEos());
            for (int k = next.getAndIncrement(); k < count; k = next.getAndIncrement()) {
                measure(client, k, System.nanoTime());
            }
            idle.add(client);
        }

        /** Times count from when a request was due, also where it had to wait for a place: that is the point. */
        private void open(ExecutorService clients) throws InterruptedException {
            Random random = new Random(workload.seed() + 1);
            Semaphore places = new Semaphore(plan.concurrency());
            long at = System.nanoTime();
            for (int k = 0; k < count; k++) {
                at += (long) (-Math.log(1 - random.nextDouble()) / plan.rate() * 1e9);
                for (long wait = at - System.nanoTime(); wait > 0; wait = at - System.nanoTime()) {
                    LockSupport.parkNanos(wait);
                }
                places.acquire();
                int number = k;
                long due = at;
                clients.execute(() -> {
                    LoadClient free = idle.poll();
                    LoadClient client = free != null ? free : new LoadClient(target, plan.stream(), plan.ignoreEos());
                    measure(client, number, due);
                    idle.add(client);
                    places.release();
                });
            }
        }

        private void measure(LoadClient client, int k, long due) {
            samples.add(client.run(
                    workload.prompt(first + k), workload.length(first + k).output(), due));
            progress.accept(ended.incrementAndGet());
        }
    }
}
