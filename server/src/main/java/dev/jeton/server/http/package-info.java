/**
 * Netty plumbing: listening, TLS, HTTP/1.1 and HTTP/2 on one port, gathering requests within bounds, and the
 * {@link dev.jeton.server.http.Exchange} through which a virtual thread answers with plain blocking calls. Large bodies
 * are taken as they arrive ({@link dev.jeton.server.http.ArrivingBody}, {@link dev.jeton.server.http.Form}).
 *
 * <p>Given a {@link dev.jeton.server.http.RequestHandler} by the server. It must never know of the OpenAI API, models
 * or JSON.
 */
@NullMarked
package dev.jeton.server.http;

import org.jspecify.annotations.NullMarked;
