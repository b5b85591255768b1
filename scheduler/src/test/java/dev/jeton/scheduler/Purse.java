package dev.jeton.scheduler;

/** An allowance that may be filled again until it is closed, and counts what is lent and what comes back of that. */
final class Purse implements Allowance {

    int left;
    int lent;
    int givenBack;
    boolean closed;

    /** With so many tokens. */
    Purse(int tokens) {
        left = tokens;
    }

    /** Not to be filled again. */
    static Purse closed(int tokens) {
        Purse purse = new Purse(tokens);
        purse.closed = true;
        return purse;
    }

    @Override
    public int grant(int tokens) {
        int given = Math.min(left, tokens);
        left -= given;
        return given;
    }

    @Override
    public int lend(int tokens) {
        int given = grant(tokens);
        lent += given;
        return given;
    }

    @Override
    public void settle(int tokens, int used) {
        lent -= tokens;
        left += tokens - used;
        givenBack += tokens - used;
    }

    @Override
    public boolean exhausted() {
        return closed && left + lent == 0;
    }
}
