package dev.jeton.server.api;

import dev.jeton.accounting.AccountingException;
import dev.jeton.accounting.Bill;
import dev.jeton.accounting.Bookkeeper;
import dev.jeton.accounting.BudgetRefusal;
import dev.jeton.accounting.BudgetStop;
import dev.jeton.accounting.BudgetView;
import dev.jeton.accounting.Fact;
import dev.jeton.accounting.Opening;
import dev.jeton.accounting.RequestBooks;
import dev.jeton.accounting.Tokens;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.scheduler.Allowance;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A call in the books: opened when its prompts are submitted, closed before its answer's last byte. */
final class CallBooks {

    /** A call that nobody keeps books of. */
    static final CallBooks NONE = new CallBooks(Optional.empty(), 0);

    private static final Logger LOG = LoggerFactory.getLogger(CallBooks.class);
    private static final int MAX_RETRIES = 1_000;

    private final Optional<RequestBooks> books;
    private final double bytesPerBlock;

    private CallBooks(Optional<RequestBooks> books, double bytesPerBlock) {
        this.books = books;
        this.bytesPerBlock = bytesPerBlock;
    }

    /**
     * Admits a call.
     *
     * @throws BudgetRefusal where a budget does not pay for it
     * @throws ApiException 503, where the journal is full or failing
     */
    static CallBooks open(Bookkeeper keeper, Call call, ServedModel model, Prepared ask) throws InterruptedException {
        List<LayerGroup> groups = model.dispatcher().engine().groups();
        double bytes =
                groups.stream().mapToLong(LayerGroup::bytesPerBlock).average().orElse(0);
        try {
            return new CallBooks(Optional.of(keeper.open(opening(keeper, call, model, ask))), bytes);
        } catch (AccountingException e) {
            LOG.warn("a request is refused, because it could not be booked: {}", e.getMessage());
            throw new ApiException(
                    503,
                    ApiException.SERVER_ERROR,
                    "",
                    "books_unavailable",
                    "The server cannot keep its books just now and takes no requests; try again later");
        }
    }

    /** How a call would be opened. */
    static Opening opening(Bookkeeper keeper, Call call, ServedModel model, Prepared ask) {
        return new Opening(
                call.bookId(),
                call.caller().payer(),
                call.caller().zone(),
                model.name(),
                ask.work(),
                call.fallbackFrom().isEmpty() ? call.tags() : call.tags().asFallback(),
                model.dispatcher().engine().name(),
                ask.prompts().size(),
                ask.promptTokens(),
                ask.sequences(),
                ask.most(),
                RequestBudgets.of(
                        call.exchange().header(RequestBudgets.HEADER),
                        call.caller().payer().tenant(),
                        keeper.prices().currency().getCurrencyCode()),
                model.dispatcher()::wake);
    }

    Allowance allowance() {
        return books.<Allowance>map(RequestBooks::allowance).orElse(Allowance.UNLIMITED);
    }

    Optional<Bill> bill(UsageTotals usage) {
        return books.map(open -> open.bill(used(usage, Fact.Outcome.COMPLETED, 0, 0)));
    }

    /** Which budget ended the call in mid-generation. */
    Optional<BudgetStop> stoppedBy() {
        return books.flatMap(RequestBooks::stoppedBy);
    }

    /** Which budget let it have fewer tokens than it asked for. */
    Optional<BudgetStop> shortenedBy() {
        return books.flatMap(RequestBooks::shortenedBy);
    }

    /** The budgets above the call as they will be once it has ended. */
    List<BudgetView> budgetsAfter(UsageTotals usage) {
        return books.map(open -> open.budgetsAfter(used(usage, Fact.Outcome.COMPLETED, 0, 0)))
                .orElse(List.of());
    }

    /** Says of so many tokens of a stream that its client gets them for certain. */
    void confirm(long tokens) {
        if (books.isPresent()) {
            books.get().confirm(tokens);
        }
    }

    /**
     * Closes a call that is answered, and waits until that is durable.
     *
     * @param egress bytes of the answer's body, those not sent yet included
     */
    void closeDurably(Call call, UsageTotals usage, long egress) throws InterruptedException {
        if (books.isPresent()) {
            books.get().closeDurably(used(usage, Fact.Outcome.COMPLETED, egress, retries(call)));
        }
    }

    /** Closes a call that ended otherwise; does nothing where it is closed. */
    void close(Call call, UsageTotals usage, Fact.Outcome outcome, long egress) {
        books.ifPresent(open -> open.close(used(usage, outcome, egress, retries(call))));
    }

    /** Closes a call that was not even submitted. */
    void refuse() {
        books.ifPresent(RequestBooks::close);
    }

    private RequestBooks.Used used(UsageTotals usage, Fact.Outcome outcome, long egress, int retries) {
        return new RequestBooks.Used(
                outcome,
                new Tokens(usage.promptTokens() - usage.cachedTokens(), usage.cachedTokens(), usage.completionTokens()),
                egress,
                usage.queueNanos(),
                usage.queueNanos() + usage.prefillNanos(),
                usage.totalNanos(),
                usage.deviceNanos(),
                usage.discardedNanos(),
                usage.savedNanos(),
                Math.round(usage.kvBlockNanos() / 1e9 * bytesPerBlock),
                retries);
    }

    /** What OpenAI's client libraries say of retries. */
    private static int retries(Call call) {
        return call.exchange()
                .header("x-stainless-retry-count")
                .filter(text -> text.matches("[0-9]{1,4}"))
                .map(text -> Math.min(MAX_RETRIES, Integer.parseInt(text)))
                .orElse(0);
    }
}
