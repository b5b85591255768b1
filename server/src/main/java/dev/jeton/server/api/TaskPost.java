package dev.jeton.server.api;

/**
 * What is posted about tasks: anyone with a key that may ask for work, also while the server drains, since what was
 * done must be booked.
 */
abstract class TaskPost implements Endpoint {

    private final String name;
    private final TaskDesk desk;

    /** @param name in metrics and logs */
    TaskPost(String name, TaskDesk desk) {
        this.name = name;
        this.desk = desk;
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final String method() {
        return "POST";
    }

    @Override
    public final Guard guard() {
        return Guard.TASKS;
    }

    @Override
    public final boolean repeatable() {
        return true;
    }

    /** Where it is recorded. */
    final TaskDesk desk() {
        return desk;
    }

    /**
     * The task that a path names.
     *
     * @param end what follows its id
     * @throws ApiException 404, for what can be no task's id
     */
    static String task(Call call, String end) {
        String path = call.exchange().path();
        String id = path.substring(TaskEndpoint.BELOW.length(), path.length() - end.length());
        if (!RequestTags.isId(id)) {
            throw TaskEndpoint.notFound();
        }
        return id;
    }
}
