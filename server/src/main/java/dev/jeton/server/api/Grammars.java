package dev.jeton.server.api;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.models.grammar.ChannelGrammar;
import dev.jeton.models.grammar.ChannelTokens;
import dev.jeton.models.grammar.Grammar;
import dev.jeton.models.grammar.GrammarException;
import dev.jeton.models.grammar.GrammarVocabulary;
import dev.jeton.models.grammar.ReasoningGrammar;
import dev.jeton.models.grammar.ReasoningTokens;
import dev.jeton.models.reasoning.ReasoningFormat;
import dev.jeton.server.metrics.GrammarStats;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Compiles what answers must be, and keeps it compiled, or why it could not be: agents send the same few schemas over
 * and over. Whoever asks for one that is being compiled waits for it. Compiling may take seconds, so it has a gate of
 * its own, and threads of the platform, which the system takes the processor from: requests are on virtual threads.
 *
 * <p>Bounded in bytes, those in use included. What nobody uses goes when there is no room, the one that was not used
 * for longest first; where all are used, there is no room for another. Thread-safe.
 */
final class Grammars {

    /** What an entry takes beside its key and grammar, about. */
    private static final long OVERHEAD = 512;

    private record Key(String model, String spec, boolean continues) {}

    /** One that is there or is being compiled. */
    private static final class Entry {
        final CompletableFuture<Grammar> grammar = new CompletableFuture<>();
        final long own;
        int users;

        Entry(Key key) {
            own = OVERHEAD + 2L * key.spec.length();
        }

        long bytes() {
            boolean made = grammar.isDone() && !grammar.isCompletedExceptionally();
            return own + (made ? grammar.join().bytes() : 0);
        }
    }

    /** A grammar that stays until it is closed. */
    static final class Use implements AutoCloseable {
        private final Runnable release;
        private final TokenGrammar grammar;

        private Use(TokenGrammar grammar, Runnable release) {
            this.grammar = grammar;
            this.release = release;
        }

        TokenGrammar grammar() {
            return grammar;
        }

        /** Called once. */
        @Override
        public void close() {
            release.run();
        }
    }

    private final Semaphore permits;
    private final long mostBytes;
    private final LongSupplier nanos;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Key, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
    private final Map<String, CompletableFuture<Optional<GrammarVocabulary>>> vocabularies = new HashMap<>();
    private final Map<String, ReasoningTokens> reasoning = new ConcurrentHashMap<>();
    private final Map<String, ChannelTokens> channels = new ConcurrentHashMap<>();
    private long compiled;
    private long refused;
    private long found;
    private long compileNanos;

    /**
     * Without any.
     *
     * @param atOnce most that are compiled at the same time
     * @param mostBytes of all together
     * @param nanos a monotonic clock
     */
    Grammars(int atOnce, long mostBytes, LongSupplier nanos) {
        permits = new Semaphore(atOnce, true);
        this.mostBytes = mostBytes;
        this.nanos = nanos;
    }

    /**
     * What an answer of a model must be.
     *
     * @param continues whether the answer goes on in the text of its prompt
     * @throws ApiException 400 where it cannot be followed, by this model or at all; 429 where there is no room
     */
    Use of(Guidance guidance, ServedModel model, boolean continues) throws InterruptedException {
        check(guidance.field(), model);
        Key key = new Key(model.base(), guidance.key(), continues);
        Entry mine = new Entry(key);
        Entry entry = begin(key, mine);
        boolean used = false;
        try {
            if (entry == mine) {
                compile(entry, key, guidance, model);
            }
            Grammar grammar = await(entry.grammar, guidance.field());
            used = true;
            return new Use(grammar, () -> release(entry));
        } finally {
            if (!used) {
                release(entry);
            }
        }
    }

    private static void check(String field, ServedModel model) {
        EngineInfo engine = model.dispatcher().engine();
        if (!engine.supports(Capability.MASKS)) {
            throw ApiException.unsupported(field, "the engine '%s' cannot follow '%s'".formatted(engine.name(), field));
        }
    }

    /**
     * The same with thinking before it, which is free but for its bound.
     *
     * @param answer what the answer must be, if anything; let go of by what this returns, or throws
     * @param stops tokens that end a text
     * @return empty where neither thinking nor answer are bound
     */
    Optional<Use> afterThinking(Optional<Use> answer, ReasoningUse thinking, ServedModel model, int[] stops)
            throws InterruptedException {
        return around(
                answer,
                Optional.empty(),
                thinking,
                model,
                most -> new ReasoningGrammar(
                        reasoningTokens(model, thinking.dialect().format()),
                        answer.map(Use::grammar),
                        thinking.place().opening(),
                        most,
                        stops));
    }

    /**
     * What messages of an answer in channels must be, thinking among them.
     *
     * @param message what one must be, if anything
     * @param behind what the answer's text must be, if the message does not say it
     * @param stops tokens that end a text
     * @return empty where neither thinking nor answer are bound
     */
    Optional<Use> inChannels(
            Optional<Use> message, Optional<Use> behind, ReasoningUse thinking, ServedModel model, int[] stops)
            throws InterruptedException {
        return around(
                message,
                behind,
                thinking,
                model,
                most -> new ChannelGrammar(
                        channelTokens(model),
                        message.map(Use::grammar),
                        behind.map(Use::grammar),
                        thinking.place(),
                        most,
                        stops));
    }

    /** Makes a grammar that has thinking in it. */
    @FunctionalInterface
    private interface Maker {

        /** @param most tokens of thinking */
        TokenGrammar make(int most) throws InterruptedException;
    }

    private static Optional<Use> around(
            Optional<Use> first, Optional<Use> second, ReasoningUse thinking, ServedModel model, Maker maker)
            throws InterruptedException {
        OptionalInt budget = thinking.options().budget();
        if (first.isEmpty() && budget.isEmpty()) {
            return first;
        }
        Runnable close = () -> {
            first.ifPresent(Use::close);
            second.ifPresent(Use::close);
        };
        boolean made = false;
        try {
            check(ReasoningOptions.BUDGET, model);
            TokenGrammar whole = maker.make(budget.orElse(ReasoningGrammar.UNBOUNDED));
            made = true;
            return Optional.of(new Use(whole, close));
        } finally {
            if (!made) {
                close.run();
            }
        }
    }

    private ReasoningTokens reasoningTokens(ServedModel model, ReasoningFormat format) throws InterruptedException {
        GrammarVocabulary vocabulary = vocabulary(model, ReasoningOptions.BUDGET);
        ReasoningTokens known = reasoning.get(model.base());
        if (known == null) {
            known = apart(() -> new ReasoningTokens(vocabulary, format));
            reasoning.put(model.base(), known);
        }
        return known;
    }

    private ChannelTokens channelTokens(ServedModel model) throws InterruptedException {
        GrammarVocabulary vocabulary = vocabulary(model, ReasoningOptions.BUDGET);
        ChannelTokens known = channels.get(model.base());
        if (known == null) {
            try {
                known = apart(() -> new ChannelTokens(vocabulary));
            } catch (GrammarException e) {
                throw invalid(ReasoningOptions.BUDGET, e);
            }
            channels.put(model.base(), known);
        }
        return known;
    }

    private Entry begin(Key key, Entry mine) {
        lock.lock();
        try {
            Entry entry = entries.getOrDefault(key, mine);
            entry.users++;
            if (entry == mine) {
                makeRoom();
                entries.put(key, mine);
            } else {
                found++;
            }
            return entry;
        } finally {
            lock.unlock();
        }
    }

    private void makeRoom() {
        long bytes = bytes();
        Iterator<Entry> eldest = entries.values().iterator();
        while (bytes > mostBytes && eldest.hasNext()) {
            Entry next = eldest.next();
            if (next.users == 0) {
                bytes -= next.bytes();
                eldest.remove();
            }
        }
        if (bytes > mostBytes) {
            throw ApiException.overloaded(
                    "The schemas that answers follow now take all the memory that they may (limits.grammar-memory);"
                            + " try again later");
        }
    }

    private long bytes() {
        return entries.values().stream().mapToLong(Entry::bytes).sum();
    }

    private void release(Entry entry) {
        lock.lock();
        try {
            entry.users--;
        } finally {
            lock.unlock();
        }
    }

    private void compile(Entry entry, Key key, Guidance guidance, ServedModel model) throws InterruptedException {
        long since = nanos.getAsLong();
        boolean known = false;
        try {
            GrammarVocabulary vocabulary = vocabulary(model, guidance.field());
            entry.grammar.complete(apart(() -> Grammar.compile(guidance.spec(), vocabulary, key.continues())));
            known = true;
        } catch (GrammarException e) {
            entry.grammar.completeExceptionally(e);
            known = true;
        } catch (InterruptedException | RuntimeException | Error e) {
            entry.grammar.completeExceptionally(e);
            throw e;
        } finally {
            end(key, entry, known, nanos.getAsLong() - since);
        }
    }

    /** Runs on a thread of the platform, not more at once than may. */
    private <T> T apart(Supplier<T> work) throws InterruptedException {
        permits.acquire();
        try {
            return CompletableFuture.supplyAsync(work, Grammars::start).get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException why) {
                throw why;
            }
            throw new IllegalStateException("compiling what answers must be failed", e.getCause());
        } finally {
            permits.release();
        }
    }

    private static void start(Runnable work) {
        Thread.ofPlatform().daemon().name("grammar").start(work);
    }

    private void end(Key key, Entry entry, boolean known, long took) {
        lock.lock();
        try {
            compileNanos += took;
            if (entry.grammar.isCompletedExceptionally()) {
                refused++;
            } else {
                compiled++;
            }
            if (!known) {
                entries.remove(key, entry);
            }
        } finally {
            lock.unlock();
        }
    }

    private static <T> T await(CompletableFuture<T> known, String field) throws InterruptedException {
        try {
            return known.get();
        } catch (ExecutionException e) {
            throw switch (e.getCause()) {
                case GrammarException why -> invalid(field, why);
                case ApiException why -> why;
                case null, default -> ApiException.internal("what was to be followed could not be compiled; try again");
            };
        }
    }

    private static ApiException invalid(String field, GrammarException e) {
        return ApiException.invalid(field, "'%s' cannot be followed: %s".formatted(field, e.getMessage()));
    }

    private GrammarVocabulary vocabulary(ServedModel model, String field) throws InterruptedException {
        CompletableFuture<Optional<GrammarVocabulary>> mine = new CompletableFuture<>();
        CompletableFuture<Optional<GrammarVocabulary>> known;
        lock.lock();
        try {
            known = vocabularies.computeIfAbsent(model.base(), name -> mine);
        } finally {
            lock.unlock();
        }
        if (known == mine) {
            try {
                mine.complete(apart(() -> model.tokenizer().grammarVocabulary(model.vocabulary())));
            } catch (InterruptedException | RuntimeException | Error e) {
                forget(model.base());
                mine.completeExceptionally(e);
                throw e;
            }
        }
        return await(known, field)
                .orElseThrow(() -> ApiException.unsupported(
                        field,
                        "what the tokens of '%s' spell is not known, so that it follows no '%s'"
                                .formatted(model.name(), field)));
    }

    private void forget(String model) {
        lock.lock();
        try {
            vocabularies.remove(model);
        } finally {
            lock.unlock();
        }
    }

    /** How many there are, and what making them took. */
    GrammarStats stats() {
        lock.lock();
        try {
            int used = (int)
                    entries.values().stream().filter(entry -> entry.users > 0).count();
            return new GrammarStats(entries.size(), used, bytes(), mostBytes, compiled, refused, found, compileNanos);
        } finally {
            lock.unlock();
        }
    }
}
