package dev.jeton.accounting;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The price book in force, and the one that is to follow it. Any thread may ask for a change; one thread, the one that
 * ends windows, makes it, because windows before it are costed by the old book and windows after it by the new one.
 */
final class BookInForce {

    /** A book that is to follow. */
    static final class Next {

        private final PriceBook book;
        private final CountDownLatch done = new CountDownLatch(1);

        Next(PriceBook book) {
            this.book = book;
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(BookInForce.class);

    private final PriceBookShelf shelf;
    private final AtomicReference<@Nullable Next> next = new AtomicReference<>();
    private volatile PriceBook current;

    /** Keeps the book on the shelf. */
    BookInForce(PriceBook first, PriceBookShelf shelf) {
        this.shelf = shelf;
        current = first;
        shelf.keep(first);
    }

    PriceBook current() {
        return current;
    }

    PriceBookShelf shelf() {
        return shelf;
    }

    /**
     * Asks for a change; a change that was asked for before and not made yet is not made any more.
     *
     * @throws AccountingException where the book cannot follow, or cannot be kept
     */
    Next ask(PriceBook book) {
        current.obstacle(book).ifPresent(reason -> {
            throw new AccountingException(
                    "price book %s cannot follow %s: %s".formatted(book.version(), current.version(), reason));
        });
        // Kept before any request is opened under it, since a crash may leave one open.
        shelf.keep(book);
        Next asked = new Next(book);
        next.set(asked);
        return asked;
    }

    /** Puts the first book in force: the process begins. */
    void begin(Journal journal, long now) {
        journal.append(fact(now, current));
    }

    /**
     * Makes the change that was asked for, if there is one; the thread that ends windows only.
     *
     * @param endWindows ends windows of device time, where the new book would divide their cost otherwise
     * @param journaled whether the journal has all windows that have ended
     */
    void adoptAsked(Journal journal, LongSupplier micros, Runnable endWindows, BooleanSupplier journaled) {
        Next asked = next.get();
        if (asked == null) {
            return;
        }
        if (!current.reservations().equals(asked.book.reservations())) {
            endWindows.run();
        }
        try {
            if (journaled.getAsBoolean()) {
                journal.append(fact(micros.getAsLong(), asked.book));
                current = asked.book;
                next.compareAndSet(asked, null);
                asked.done.countDown();
                LOG.info("price book {} is in force", asked.book.version());
            }
        } catch (AccountingException e) {
            LOG.warn("price book {} waits for the journal: {}", asked.book.version(), e.getMessage());
        }
    }

    private static Fact.Adopted fact(long now, PriceBook book) {
        return new Fact.Adopted(now, Fact.DocumentKind.PRICE_BOOK, book.version(), book.content());
    }

    /** Whether it was made within a time. */
    static boolean await(Next asked, long nanos) throws InterruptedException {
        return asked.done.await(nanos, TimeUnit.NANOSECONDS);
    }
}
