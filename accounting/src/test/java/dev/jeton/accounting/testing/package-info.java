/** What tests of other modules need of the books too: a PostgreSQL server. They get it as this module's test-jar. */
package dev.jeton.accounting.testing;
