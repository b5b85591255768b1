package dev.jeton.accounting;

import java.util.Optional;

/**
 * What {@link ShareKeeper} asks of budgets that servers share, and tells them: exchanges with the database are prepared
 * and heard here, and done without the lock. Any thread; takes the board's lock.
 */
final class BudgetSharing {

    private final BudgetBoard board;
    private final BudgetDefinitions definitions;

    BudgetSharing(BudgetBoard board, BudgetDefinitions definitions) {
        this.board = board;
        this.definitions = definitions;
    }

    /** Told when an exchange should be soon; must not block. */
    void onWake(Runnable keeper) {
        board.shares.onWake(keeper);
    }

    /** Whether somebody waits for more of a shared budget. */
    boolean anyWaits() {
        board.lock.lock();
        try {
            return board.queue.waiters().stream().anyMatch(waiter -> waiter.hold.unheard != null);
        } finally {
            board.lock.unlock();
        }
    }

    /** Whether there are budgets that servers share. */
    boolean any() {
        board.lock.lock();
        try {
            return board.shares.any();
        } finally {
            board.lock.unlock();
        }
    }

    /** As {@link BudgetShares#holdsAny}. */
    boolean holdsAny() {
        board.lock.lock();
        try {
            return board.shares.holdsAny();
        } finally {
            board.lock.unlock();
        }
    }

    /** As {@link BudgetShares#prepare}; one thread at a time, until it was answered or has failed. */
    Optional<ShareExchange> prepare(boolean ending) {
        board.lock.lock();
        try {
            if (!board.shares.any()) {
                return Optional.empty();
            }
            long now = board.now();
            board.rollAll(now);
            return board.shares.prepare(board.queue.waiters(), ending, now);
        } finally {
            board.lock.unlock();
        }
    }

    /** As {@link BudgetShares#answered}. */
    void answered(ShareExchange exchange, ShareExchange.Reply reply) {
        board.lock.lock();
        try {
            long now = board.now();
            if (board.shares.answered(exchange, reply, board.index, now)) {
                definitions.decided(now);
            } else {
                board.process(now);
            }
        } finally {
            board.lock.unlock();
        }
    }

    /** As {@link BudgetShares#failed}. */
    void failed(ShareExchange exchange) {
        board.lock.lock();
        try {
            board.shares.failed(exchange);
            board.process(board.now());
        } finally {
            board.lock.unlock();
        }
    }

    /** Whether shared counters have names that a restart would not know. */
    boolean namesAreFresh() {
        board.lock.lock();
        try {
            return board.shares.definitions.fresh();
        } finally {
            board.lock.unlock();
        }
    }

    /** How they are shared, with what their keeper has counted. */
    ShareStats stats(long exchanges, long failures, long nanos) {
        board.lock.lock();
        try {
            BudgetShares shares = board.shares;
            return new ShareStats(
                    shares.members(),
                    shares.definitions.differing(),
                    shares.lease.left(),
                    !shares.any() || !shares.lease.down(),
                    exchanges,
                    failures,
                    nanos);
        } finally {
            board.lock.unlock();
        }
    }
}
