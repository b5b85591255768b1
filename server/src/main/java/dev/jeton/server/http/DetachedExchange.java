package dev.jeton.server.http;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A POST that is answered whether or not anybody reads the answer, which is kept part by part: any number of threads
 * may read it from its beginning while it is written, and again. One thread answers.
 */
public final class DetachedExchange extends OwnExchange {

    private static final byte[] END = new byte[0];

    /** Room for what is kept of several answers. */
    public interface Room {
        /** Takes room for so many bytes; false where there is none. */
        boolean take(long bytes);

        /** Gives it back. */
        void give(long bytes);
    }

    private final Room room;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final List<byte[]> parts = new ArrayList<>();
    private Map<String, String> answerHeaders = Map.of();
    private long held;
    private long bytesWritten;
    private int status;
    private boolean streamed;
    private boolean ended;
    private boolean lost;
    private boolean hungUp;
    private @Nullable Runnable onHangUp;

    /**
     * Without an answer yet.
     *
     * @param headers by names in small letters
     * @param room for the answer
     */
    public DetachedExchange(String path, Map<String, String> headers, byte[] body, Room room) {
        super(path, headers, body);
        this.room = room;
    }

    /** Adds to the answer what is nothing that was asked for, as that it is asked for. */
    public void note(byte[] part) {
        lock.lock();
        try {
            keep(part);
        } finally {
            lock.unlock();
        }
    }

    /** Waits until the answer has begun or ended; whether it is one in parts. */
    public boolean awaitBegun() throws InterruptedException {
        lock.lock();
        try {
            while (status == 0 && !ended) {
                changed.await();
            }
            return streamed;
        } finally {
            lock.unlock();
        }
    }

    /** Waits until the answer has ended; false where it does not in time. */
    public boolean awaitEnd(long nanos) throws InterruptedException {
        long left = nanos;
        lock.lock();
        try {
            while (!ended && left > 0) {
                left = changed.awaitNanos(left);
            }
            return ended;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits for a part of the answer.
     *
     * @param number of the part, from 0
     * @return empty at the end
     * @throws AnswerNotKeptException where parts were given up for want of room
     */
    public byte[] part(int number) throws InterruptedException {
        lock.lock();
        try {
            while (!lost && parts.size() <= number && !ended) {
                changed.await();
            }
            if (lost) {
                throw new AnswerNotKeptException();
            }
            return number < parts.size() ? parts.get(number) : END;
        } finally {
            lock.unlock();
        }
    }

    /** Asks for nothing more of the answer, as a client does that hangs up. */
    public void hangUp() {
        Runnable action;
        lock.lock();
        try {
            hungUp = true;
            action = ended ? null : onHangUp;
        } finally {
            lock.unlock();
        }
        if (action != null) {
            action.run();
        }
    }

    /** Gives the room back; who reads still reads to the end. */
    public void release() {
        lock.lock();
        try {
            room.give(held);
            held = 0;
        } finally {
            lock.unlock();
        }
    }

    /** Whether the answer has ended, or is given up. */
    public boolean ended() {
        lock.lock();
        try {
            return ended;
        } finally {
            lock.unlock();
        }
    }

    /** Status of the answer; 0 where there is none. */
    public int status() {
        lock.lock();
        try {
            return status;
        } finally {
            lock.unlock();
        }
    }

    /** Header fields of the answer. */
    public Map<String, String> answerHeaders() {
        lock.lock();
        try {
            return answerHeaders;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public boolean hungUp() {
        lock.lock();
        try {
            return hungUp;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public boolean begun() {
        return status() != 0;
    }

    @Override
    public void onHangUp(Runnable action) {
        boolean already;
        lock.lock();
        try {
            onHangUp = action;
            already = hungUp;
        } finally {
            lock.unlock();
        }
        if (already) {
            action.run();
        }
    }

    @Override
    public void respond(int answerStatus, Map<String, String> fields, byte[] content) {
        start(answerStatus, fields, false);
        lock.lock();
        try {
            // Without room: it is short, as a refusal is, and read once.
            bytesWritten += content.length;
            parts.add(content);
            ended = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void begin(int answerStatus, Map<String, String> fields) {
        start(answerStatus, fields, true);
    }

    private void start(int answerStatus, Map<String, String> fields, boolean inParts) {
        lock.lock();
        try {
            if (status != 0) {
                throw new IllegalStateException("an exchange is answered once");
            }
            status = answerStatus;
            answerHeaders = Map.copyOf(fields);
            streamed = inParts;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public long bytesWritten() {
        lock.lock();
        try {
            return bytesWritten;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void write(byte[] part) {
        lock.lock();
        try {
            bytesWritten += part.length;
            keep(part);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void end(byte[] part) {
        lock.lock();
        try {
            bytesWritten += part.length;
            keep(part);
            ended = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void keep(byte[] part) {
        if (part.length == 0 || lost) {
            return;
        }
        if (!room.take(part.length)) {
            lost = true;
            drop();
        } else {
            held += part.length;
            parts.add(part);
        }
        changed.signalAll();
    }

    private void drop() {
        parts.clear();
        room.give(held);
        held = 0;
    }

    /** Whoever has hung up is told by the next attempt to write. */
    @Override
    public boolean awaitWritable(long nanos) {
        return !hungUp();
    }

    @Override
    public boolean sent() {
        return !hungUp();
    }

    @Override
    public boolean awaitSent(long nanos) {
        return !hungUp();
    }

    @Override
    public void abort() {
        lock.lock();
        try {
            ended = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
