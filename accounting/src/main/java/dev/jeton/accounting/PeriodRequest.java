package dev.jeton.accounting;

import java.util.Map;
import java.util.Optional;

/**
 * What an operator wants done with a period, as a file in the books' folder asks for it: the folder says what, the
 * file's name the rest.
 */
sealed interface PeriodRequest {

    /** The period, as {@link Period#named} reads it. */
    String period();

    /** The folder of its file, in the books' folder. */
    String folder();

    /** The name of its file. */
    String name();

    /**
     * What the journal gets.
     *
     * @param now microseconds since 1970
     * @param shelf has the price books that requests name
     * @param taken how far the ledger is, by node
     * @throws AccountingException where the shelf lacks one
     */
    Fact fact(long now, PriceBookShelf shelf, Map<String, Long> taken);

    /** To freeze it. */
    record Close(String period) implements PeriodRequest {

        static final String FOLDER = "close";

        @Override
        public String folder() {
            return FOLDER;
        }

        @Override
        public String name() {
            return period;
        }

        @Override
        public Fact fact(long now, PriceBookShelf shelf, Map<String, Long> taken) {
            return new Fact.PeriodClosed(now, period, taken);
        }
    }

    /**
     * To cost it again.
     *
     * @param priceBook version of the book, which is on the shelf
     */
    record Recost(String period, String priceBook) implements PeriodRequest {

        static final String FOLDER = "recost";
        private static final String BY = "_by_";

        /** Reads the name of a file; empty where it is none of ours. */
        static Optional<PeriodRequest> named(String name) {
            int by = name.indexOf(BY);
            return by < 0
                    ? Optional.empty()
                    : Optional.of(new Recost(name.substring(0, by), name.substring(by + BY.length())));
        }

        @Override
        public String folder() {
            return FOLDER;
        }

        @Override
        public String name() {
            return period + BY + priceBook;
        }

        @Override
        public Fact fact(long now, PriceBookShelf shelf, Map<String, Long> taken) {
            PriceBook book = shelf.find(priceBook)
                    .orElseThrow(() -> new AccountingException(
                            "%s waits to be costed by price book %s, which is not among the books kept; ask again with its file"
                                    .formatted(period, priceBook)));
            return new Fact.Recosted(now, period, priceBook, book.content());
        }
    }
}
