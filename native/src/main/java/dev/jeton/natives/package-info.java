/** Bindings to native libraries through java.lang.foreign; empty until the CUDA engine comes. */
@NullMarked
package dev.jeton.natives;

import org.jspecify.annotations.NullMarked;
