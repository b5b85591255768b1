package dev.jeton.accounting.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/**
 * A real PostgreSQL server with its data in a temporary folder, started once for all tests of a run and stopped at its
 * end. PostgreSQL refuses to run as root; there it runs as the user postgres.
 */
public final class PostgresServer {

    /** Who may do everything, without a password. */
    public static final String USER = "jeton";

    private static final Object LOCK = new Object();
    private static PostgresServer shared;
    private static String missing = "";

    private final Path programs;
    private final Path home;
    private final int port;
    private final AtomicInteger databases = new AtomicInteger();

    private PostgresServer(Path programs) throws IOException {
        this.programs = programs;
        home = Files.createTempDirectory("jeton-postgres");
        if (isRoot()) {
            require("chown", "postgres", home.toString());
        }
        require(as(
                programs.resolve("initdb").toString(),
                "-D",
                data(),
                "-U",
                USER,
                "--auth=trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C"));
        // As late as can be: until the server has it, any process may take it.
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        start();
        Runtime.getRuntime().addShutdownHook(new Thread(this::remove));
    }

    /** The server of this run; empty where PostgreSQL is not installed, see {@link #missing}. */
    public static Optional<PostgresServer> shared() {
        synchronized (LOCK) {
            if (shared == null && missing.isEmpty()) {
                Optional<Path> programs = programs();
                if (programs.isEmpty()) {
                    missing = "PostgreSQL is not installed: no initdb and pg_ctl in PATH or /usr/lib/postgresql/*/bin";
                } else {
                    try {
                        shared = new PostgresServer(programs.get());
                    } catch (IOException | UncheckedIOException e) {
                        missing = "PostgreSQL could not be started: " + e.getMessage();
                    }
                }
            }
            return Optional.ofNullable(shared);
        }
    }

    /** Why there is no server. */
    public static String missing() {
        synchronized (LOCK) {
            return missing;
        }
    }

    /** The URL of a new, empty database of {@link #USER}. */
    public String create() throws SQLException {
        String name = "books" + databases.incrementAndGet();
        try (Connection connection = DriverManager.getConnection(url("postgres"), USER, "");
                var statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE " + name);
        }
        return url(name);
    }

    /** The URL of a new database of {@link #USER} that is what another, to which nobody is connected, is. */
    public String copy(String url) throws SQLException {
        String name = "books" + databases.incrementAndGet();
        try (Connection connection = DriverManager.getConnection(url("postgres"), USER, "");
                var statement = connection.createStatement()) {
            statement.execute(
                    "CREATE DATABASE %s TEMPLATE %s".formatted(name, url.substring(url.lastIndexOf('/') + 1)));
        }
        return url(name);
    }

    /** Starts it, the first time or after {@link #stop}. */
    public void start() {
        require(as(
                programs.resolve("pg_ctl").toString(),
                "-D",
                data(),
                "-w",
                "-l",
                home.resolve("log").toString(),
                "-o",
                "-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off".formatted(port),
                "start"));
    }

    /** Stops it as a crash would: connections break. */
    public void stop() {
        require(as(programs.resolve("pg_ctl").toString(), "-D", data(), "-w", "-m", "immediate", "stop"));
    }

    private String url(String database) {
        return "jdbc:postgresql://127.0.0.1:%d/%s".formatted(port, database);
    }

    private String data() {
        return home.resolve("data").toString();
    }

    private void remove() {
        try {
            run(as(programs.resolve("pg_ctl").toString(), "-D", data(), "-w", "-m", "immediate", "stop"));
            try (Stream<Path> files = Files.walk(home)) {
                files.sorted(Comparator.reverseOrder())
                        .forEach(file -> file.toFile().delete());
            }
        } catch (IOException e) {
            System.err.println("left behind: " + home);
        }
    }

    private static boolean isRoot() {
        return "root".equals(System.getProperty("user.name"));
    }

    private static String[] as(String... command) {
        if (!isRoot()) {
            return command;
        }
        List<String> all = new ArrayList<>(List.of("runuser", "-u", "postgres", "--"));
        all.addAll(List.of(command));
        return all.toArray(String[]::new);
    }

    private static void require(String... command) {
        try {
            String output = run(command);
            if (!output.isEmpty()) {
                throw new UncheckedIOException(new IOException(String.join(" ", command) + ": " + output));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Runs a command; empty, or what it said where it failed. */
    private static String run(String... command) throws IOException {
        // To a file, since a server that is started keeps its parent's output open.
        Path output = Files.createTempFile("jeton-postgres", ".out");
        try {
            Process process = new ProcessBuilder(command)
                    .directory(output.getParent().toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            if (!process.waitFor(60, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return "took longer than a minute: " + Files.readString(output);
            }
            return process.exitValue() == 0 ? "" : "failed: " + Files.readString(output);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        } finally {
            Files.deleteIfExists(output);
        }
    }

    private static Optional<Path> programs() {
        List<Path> folders = new ArrayList<>();
        for (String folder : System.getenv("PATH").split(":")) {
            folders.add(Path.of(folder));
        }
        Path debian = Path.of("/usr/lib/postgresql");
        if (Files.isDirectory(debian)) {
            try (DirectoryStream<Path> versions = Files.newDirectoryStream(debian)) {
                versions.forEach(version -> folders.add(version.resolve("bin")));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return folders.stream()
                .filter(folder ->
                        Files.isExecutable(folder.resolve("initdb")) && Files.isExecutable(folder.resolve("pg_ctl")))
                .findFirst();
    }
}
