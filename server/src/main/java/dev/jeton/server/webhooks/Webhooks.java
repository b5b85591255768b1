package dev.jeton.server.webhooks;

import dev.jeton.accounting.Period;
import dev.jeton.server.config.ConfigException;
import dev.jeton.server.config.Configuration.WebhookSettings;
import dev.jeton.server.json.JsonWriter;
import dev.jeton.server.metrics.WebhookStats;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends events to a receiver, at least once each: signed, again after growing pauses while it does not take them, and
 * again after a restart. {@link #send} never waits; what finds the queue full is dropped and counted.
 *
 * <p>An event is written to the outbox by one thread, which is that file's only user, and then due. Few threads send
 * what is due, so a receiver that never answers holds up those few and nothing else. Shared state is under one lock,
 * which nobody holds while reading, writing or sending.
 */
public final class Webhooks implements AutoCloseable {

    /** The outbox's name in the books' folder. */
    static final String FILE = "webhooks.log";

    private static final Logger LOG = LoggerFactory.getLogger(Webhooks.class);
    private static final int SENDERS = 4;
    private static final long CLOSE_MILLIS = 2_000;

    /** An event that waits for its next attempt. */
    private record Due(Outgoing event, int attempts, long at) {}

    private final WebhookSettings settings;
    private final LongSupplier micros;
    private final RandomGenerator random;
    private final Pauses pauses;
    private final Optional<Receiver> receiver;
    private final List<Thread> threads = new ArrayList<>();

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Deque<Outgoing> unwritten = new ArrayDeque<>();
    private final Deque<String> done = new ArrayDeque<>();
    private final PriorityQueue<Due> due = new PriorityQueue<>(Comparator.comparingLong(Due::at));
    private int queue;
    private long delivered;
    private long retried;
    private long givenUp;
    private long dropped;
    private long lastDelivery;
    private long lastFailure;
    private String failure = "";
    private boolean closing;

    /**
     * Begins to send, what the last run left first.
     *
     * @param folder of the outbox; empty where nothing needs to survive the process
     * @param micros the time, microseconds since 1970
     * @param random of ids and pauses; used under the lock
     * @throws ConfigException where the URL is none
     */
    public Webhooks(WebhookSettings settings, Optional<Path> folder, LongSupplier micros, RandomGenerator random) {
        this(settings, folder, micros, random, Pauses.USUAL);
    }

    /** The same, with other pauses. */
    Webhooks(
            WebhookSettings settings,
            Optional<Path> folder,
            LongSupplier micros,
            RandomGenerator random,
            Pauses pauses) {
        this.settings = settings;
        this.micros = micros;
        this.random = random;
        this.pauses = pauses;
        if (settings.url().isEmpty()) {
            receiver = Optional.empty();
            return;
        }
        receiver = Optional.of(new Receiver(url(settings.url()), settings.key(), settings.timeout(), micros));
        Optional<Outbox> outbox = folder.flatMap(Webhooks::outbox);
        outbox.ifPresent(kept -> kept.left().forEach(event -> due.add(new Due(event, 0, Long.MIN_VALUE))));
        queue = due.size();
        start("webhook-outbox", () -> keep(outbox));
        for (int i = 0; i < SENDERS; i++) {
            start("webhook-" + i, this::deliver);
        }
    }

    private static URI url(String text) {
        try {
            URI url = URI.create(text);
            if (url.getHost() != null) {
                return url;
            }
        } catch (IllegalArgumentException e) {
            LOG.debug("not a URL", e);
        }
        throw new ConfigException("'webhooks.url' is '%s', in which no host can be found".formatted(text));
    }

    private static Optional<Outbox> outbox(Path folder) {
        try {
            return Optional.of(new Outbox(folder.resolve(FILE)));
        } catch (IOException e) {
            LOG.error("events of webhooks cannot be kept in {}, and would be lost with the process", folder, e);
            return Optional.empty();
        }
    }

    private void start(String name, Runnable work) {
        Thread thread = Thread.ofPlatform().name(name).daemon(true).unstarted(work);
        threads.add(thread);
        thread.start();
    }

    /**
     * Tells the receiver something, as soon as it may be; does not wait. Nothing is done where there is no receiver.
     *
     * @return whether it will be tried; false where the queue is full
     */
    public boolean send(WebhookEvent event) {
        if (receiver.isEmpty()) {
            return false;
        }
        lock.lock();
        try {
            if (queue >= settings.queue() || closing) {
                dropped++;
                LOG.warn("an event {} is dropped: {} wait already (webhooks.queue)", event.type(), queue);
                return false;
            }
            queue++;
            unwritten.add(Outgoing.of(event, random));
            changed.signalAll();
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** The outbox's thread. */
    private void keep(Optional<Outbox> outbox) {
        List<Outgoing> added = new ArrayList<>();
        List<String> ended = new ArrayList<>();
        while (taken(added, ended)) {
            outbox.ifPresent(kept -> write(kept, added, ended));
            lock.lock();
            try {
                queue -= ended.size();
                long now = micros.getAsLong();
                added.forEach(event -> due.add(new Due(event, 0, now)));
                changed.signalAll();
            } finally {
                lock.unlock();
            }
            added.clear();
            ended.clear();
        }
        outbox.ifPresent(kept -> {
            try {
                kept.close();
            } catch (IOException e) {
                LOG.warn("the outbox of webhooks was not closed well", e);
            }
        });
    }

    private static void write(Outbox outbox, List<Outgoing> added, List<String> ended) {
        try {
            for (Outgoing event : added) {
                outbox.add(event);
            }
            for (String id : ended) {
                outbox.done(id);
            }
        } catch (IOException e) {
            LOG.error("the outbox of webhooks cannot be written; a restart may lose events, or send some again", e);
        }
    }

    /** Waits for something to write down; false once all is, and nothing more will come. */
    private boolean taken(List<Outgoing> added, List<String> ended) {
        lock.lock();
        try {
            while (unwritten.isEmpty() && done.isEmpty() && !closing) {
                changed.awaitUninterruptibly();
            }
            added.addAll(unwritten);
            unwritten.clear();
            ended.addAll(done);
            done.clear();
            return !(added.isEmpty() && ended.isEmpty());
        } finally {
            lock.unlock();
        }
    }

    /** A sender's thread. */
    private void deliver() {
        try {
            while (true) {
                Optional<Due> next = next();
                if (next.isEmpty()) {
                    return;
                }
                tried(next.get(), attempt(next.get().event()));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Receiver.Result attempt(Outgoing event) throws InterruptedException {
        try {
            return receiver.orElseThrow().deliver(event);
        } catch (RuntimeException e) {
            // One event's failure stays one event's; the sender has others to send.
            LOG.error("event {} could not be sent", event.id(), e);
            return new Receiver.Result.Failed(String.valueOf(e), 0);
        }
    }

    /** Waits for an event that is due; empty at the end. */
    private Optional<Due> next() throws InterruptedException {
        lock.lock();
        try {
            while (!closing) {
                Due first = due.peek();
                long now = micros.getAsLong();
                if (first == null) {
                    changed.await();
                } else if (first.at() > now) {
                    boolean ignored = changed.await(first.at() - now, TimeUnit.MICROSECONDS);
                } else {
                    return Optional.of(due.remove());
                }
            }
            return Optional.empty();
        } finally {
            lock.unlock();
        }
    }

    private void tried(Due attempt, Receiver.Result result) {
        int attempts = attempt.attempts() + 1;
        lock.lock();
        try {
            switch (result) {
                case Receiver.Result.Taken taken -> {
                    delivered++;
                    lastDelivery = micros.getAsLong();
                    done.add(attempt.event().id());
                }
                case Receiver.Result.Unwanted unwanted -> giveUp(attempt, attempts, "it answered with status 410");
                case Receiver.Result.Failed failed when closing -> failure = failed.why();
                case Receiver.Result.Failed failed
                when attempts >= settings.maxAttempts() -> giveUp(attempt, attempts, failed.why());
                case Receiver.Result.Failed failed -> {
                    retried++;
                    failed(failed.why());
                    long at = micros.getAsLong() + pauses.after(attempts, failed.askedMicros(), random);
                    due.add(new Due(attempt.event(), attempts, at));
                }
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void giveUp(Due attempt, int attempts, String why) {
        givenUp++;
        failed(why);
        done.add(attempt.event().id());
        LOG.error(
                "event {} ({}) is given up after {} attempts: {}",
                attempt.event().id(),
                attempt.event().type(),
                attempts,
                why);
    }

    private void failed(String why) {
        failure = why;
        lastFailure = micros.getAsLong();
    }

    /** Counters and gauges. */
    public WebhookStats stats() {
        lock.lock();
        try {
            return new WebhookStats(delivered, retried, givenUp, dropped, queue, settings.queue());
        } finally {
            lock.unlock();
        }
    }

    /** Writes how they are, as an object. */
    public void write(JsonWriter out) {
        lock.lock();
        try {
            out.beginObject();
            out.name("object").value("webhooks");
            out.name("enabled").value(receiver.isPresent());
            out.name("queue").value(queue);
            out.name("bound").value(settings.queue());
            out.name("delivered").value(delivered);
            out.name("retried").value(retried);
            out.name("given_up").value(givenUp);
            out.name("dropped").value(dropped);
            out.name("last_delivery").tree(lastDelivery == 0 ? null : Period.text(lastDelivery));
            out.name("last_failure").tree(lastFailure == 0 ? null : Period.text(lastFailure));
            out.name("failure").tree(failure.isEmpty() ? null : failure);
            out.endObject();
        } finally {
            lock.unlock();
        }
    }

    /** Ends: what is not delivered stays in the outbox. */
    @Override
    public void close() {
        lock.lock();
        try {
            closing = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        receiver.ifPresent(Receiver::close);
        for (Thread thread : threads) {
            try {
                thread.join(CLOSE_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
