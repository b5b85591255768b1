package dev.jeton.server.crash;

import dev.jeton.accounting.RequestRow;

/** What came of the requests of some crashes; confined to one thread. */
final class CrashTally {

    private int kills;
    private int answered;
    private int aborted;
    private int hungUp;
    private int unseen;
    private int unseenStreams;
    private long confirmedInVain;
    private int unbooked;
    private long received;
    private long receivedOfAborted;
    private long confirmedOfAborted;
    private long grantedInVain;
    private long widest;

    void killed() {
        kills++;
    }

    /** Its client has its end. */
    void answered(Attempt attempt) {
        answered++;
        received += attempt.received();
    }

    /** Cut off. */
    void aborted(Attempt attempt, RequestRow row) {
        aborted++;
        received += attempt.received();
        receivedOfAborted += attempt.received();
        confirmedOfAborted += row.confirmed();
        grantedInVain += row.granted() - attempt.received();
        widest = Math.max(widest, row.granted() - attempt.received());
    }

    /** Its client went away. */
    void hungUp(Attempt attempt) {
        hungUp++;
        received += attempt.received();
    }

    /** Ended in the books with so much confirmed, and killed before the last bytes were out. */
    void unseen(Attempt attempt, long confirmed) {
        unseen++;
        if (attempt.ask().stream()) {
            unseenStreams++;
            confirmedInVain += Math.max(0, confirmed - attempt.ask().sequences() - attempt.received());
        }
        received += attempt.received();
    }

    /** Sent, and killed before it was in the books. */
    void unbooked() {
        unbooked++;
    }

    /** Requests that the books must have. */
    int booked() {
        return answered + aborted + hungUp + unseen;
    }

    int kills() {
        return kills;
    }

    int aborted() {
        return aborted;
    }

    int answered() {
        return answered;
    }

    /** Tokens that the books know to have arrived of what was cut off. */
    long confirmedOfAborted() {
        return confirmedOfAborted;
    }

    @Override
    public String toString() {
        return ("%d kills: %d requests answered, %d aborted, %d hung up, %d ended unseen (%d of them streams, which"
                        + " confirmed %d tokens too many), %d not booked; %d tokens received; of the aborted confirmed %d,"
                        + " received %d, granted and not received %d, at most %d of one request")
                .formatted(
                        kills,
                        answered,
                        aborted,
                        hungUp,
                        unseen,
                        unseenStreams,
                        confirmedInVain,
                        unbooked,
                        received,
                        confirmedOfAborted,
                        receivedOfAborted,
                        grantedInVain,
                        widest);
    }
}
