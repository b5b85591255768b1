/** A small real model (tokenizer, template, engine) and a server over it, for the server's tests. */
package dev.jeton.server.testing;
