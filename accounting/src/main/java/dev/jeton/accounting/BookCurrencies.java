package dev.jeton.accounting;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Currency;
import java.util.Optional;

/** Finds money of another currency, which can be neither added nor compared. */
final class BookCurrencies {

    private BookCurrencies() {}

    /**
     * A price book of another currency by which money was booked.
     *
     * @param from hours from this one on, microseconds since 1970
     * @param to and before this
     * @return empty where there is none
     */
    static Optional<PriceBook> other(Connection connection, long from, long to, Currency expected) throws SQLException {
        if (all(connection, expected)) {
            return Optional.empty(); // so the postings need not be looked at
        }
        for (String version : Books.priceBooks(connection, from, to)) {
            String content = Books.document(connection, Fact.DocumentKind.PRICE_BOOK, version);
            PriceBook book = content.isEmpty() ? PriceBook.free() : PriceBook.parse("price book " + version, content);
            if (!book.currency().equals(expected)) {
                return Optional.of(book);
            }
        }
        return Optional.empty();
    }

    /** Whether every book that the ledger has is of the currency. */
    private static boolean all(Connection connection, Currency expected) throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("SELECT content FROM document WHERE kind = ?")) {
            query.setString(1, Fact.DocumentKind.PRICE_BOOK.name());
            try (ResultSet rows = query.executeQuery()) {
                while (rows.next()) {
                    if (!PriceBook.parse("a price book of the ledger", rows.getString(1))
                            .currency()
                            .equals(expected)) {
                        return false;
                    }
                }
                return true;
            }
        } catch (AccountingException e) {
            return false; // one that this version cannot read may not have been used in that time
        }
    }
}
