package dev.jeton.server.api;

/** Makes one response in the background; asked by the server itself alone. */
record BackgroundEndpoint(ResponsesEndpoint responses, Background background) implements Endpoint {

    @Override
    public String name() {
        return "responses_background";
    }

    @Override
    public String method() {
        return "POST";
    }

    @Override
    public Guard guard() {
        return Guard.WORK;
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        responses.make(call, background);
    }
}
