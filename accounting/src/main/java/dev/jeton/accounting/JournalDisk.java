package dev.jeton.accounting;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * One folder on a disk, as the journal uses it: the only way by which it touches one. The real one is
 * {@link FolderDisk}; tests put in disks that are full, slow, fail, or lose what was not forced.
 */
public interface JournalDisk {

    /** An open file. Its methods may be called by one thread at a time. */
    interface File extends Closeable {

        /** Bytes in the file. */
        long size() throws IOException;

        /**
         * Reads until the buffer is full or the file ends.
         *
         * @return bytes read, 0 at the end
         */
        int read(ByteBuffer into, long position) throws IOException;

        /** Writes the whole buffer; it may be lost until {@link #force}. */
        void write(ByteBuffer from, long position) throws IOException;

        /** Makes what was written durable. After an error, what was written since the last success may be lost. */
        void force() throws IOException;

        /** Cuts the file. */
        void truncate(long size) throws IOException;

        @Override
        void close() throws IOException;
    }

    /**
     * Keeps other processes out of the folder until it is closed.
     *
     * @return empty where another one is in it
     */
    Optional<Closeable> lock() throws IOException;

    /** Names of the files in the folder. */
    List<String> list() throws IOException;

    /** Makes a file that does not exist yet. */
    File create(String name) throws IOException;

    /** Opens a file for reading and writing. */
    File open(String name) throws IOException;

    /** Deletes a file. */
    void delete(String name) throws IOException;

    /** Makes created and deleted names durable. */
    void sync() throws IOException;
}
