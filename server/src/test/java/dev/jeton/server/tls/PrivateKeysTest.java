package dev.jeton.server.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.interfaces.ECPrivateKey;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PrivateKeysTest {

    /** By {@code openssl ecparam -name prime256v1 -genkey}, which puts the parameters in front. */
    private static final String OF_OPENSSL = """
            -----BEGIN EC PARAMETERS-----
            BggqhkjOPQMBBw==
            -----END EC PARAMETERS-----
            %s
            """;

    /** [0] of prime256v1. */
    private static final String CURVE = "a00a06082a8648ce3d030107";

    private static PrivateKey generate(String algorithm, int size) throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance(algorithm);
        if (size > 0) {
            generator.initialize(size);
        }
        KeyPair pair = generator.generateKeyPair();
        return pair.getPrivate();
    }

    private static String pem(String kind, byte[] der) {
        return "-----BEGIN %s-----\n%s\n-----END %s-----\n"
                .formatted(kind, Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der), kind);
    }

    @ParameterizedTest
    @CsvSource({"RSA,2048", "RSA,4096", "EC,256", "EC,384", "EC,521", "Ed25519,0"})
    void readsPkcs8OfEveryAlgorithm(String algorithm, int size) throws GeneralSecurityException {
        PrivateKey key = generate(algorithm, size);
        assertThat(PrivateKeys.read(pem("PRIVATE KEY", key.getEncoded()))).isEqualTo(key);
    }

    /** Of PKCS #8 what is within: a sequence of version, algorithm and an octet string with the key. */
    private static byte[] within(byte[] pkcs8) {
        for (int at = 0; at < pkcs8.length - 4; at++) {
            for (int head : new int[] {2, 3, 4}) {
                boolean octets = pkcs8[at] == 4 && pkcs8[at + head] == 0x30;
                int length = head == 2
                        ? pkcs8[at + 1]
                        : head == 3 ? pkcs8[at + 2] & 0xff : (pkcs8[at + 2] & 0xff) << 8 | pkcs8[at + 3] & 0xff;
                if (octets && at + head + length == pkcs8.length) {
                    return Arrays.copyOfRange(pkcs8, at + head, pkcs8.length);
                }
            }
        }
        throw new AssertionError(HexFormat.of().formatHex(pkcs8));
    }

    @ParameterizedTest
    @ValueSource(ints = {2048, 3072, 4096})
    void readsPkcs1(int size) throws GeneralSecurityException {
        PrivateKey key = generate("RSA", size);
        assertThat(PrivateKeys.read(pem("RSA PRIVATE KEY", within(key.getEncoded()))))
                .isEqualTo(key);
    }

    /** Of P-256, as OpenSSL writes it, but for the public key: version, key, and the curve or nothing. */
    private static byte[] sec1(PrivateKey key, String curve) {
        String number = "%064x".formatted(((ECPrivateKey) key).getS());
        String content = "0201010420" + number + curve;
        return HexFormat.of().parseHex("30%02x%s".formatted(content.length() / 2, content));
    }

    @Test
    void readsSec1BehindItsParameters() throws GeneralSecurityException {
        PrivateKey key = generate("EC", 256);
        String text = OF_OPENSSL.formatted(pem("EC PRIVATE KEY", sec1(key, CURVE)));
        ECPrivateKey read = (ECPrivateKey) PrivateKeys.read(text);
        assertThat(read.getS()).isEqualTo(((ECPrivateKey) key).getS());
        assertThat(read.getParams().getCurve())
                .isEqualTo(((ECPrivateKey) key).getParams().getCurve());
    }

    @Test
    void sec1WithoutItsCurveIsSaid() throws GeneralSecurityException {
        byte[] plain = sec1(generate("EC", 256), "");
        assertThatThrownBy(() -> PrivateKeys.read(pem("EC PRIVATE KEY", plain))).hasMessageContaining("which curve");
    }

    @Test
    void saysHowAnEncryptedKeyIsDecrypted() {
        for (String text : new String[] {
            pem("ENCRYPTED PRIVATE KEY", new byte[40]),
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
        }) {
            assertThatThrownBy(() -> PrivateKeys.read(text)).hasMessageContaining("openssl pkey");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "'no key',there is no PEM block",
        "'-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',there is no PEM block",
        "'-----BEGIN PRIVATE KEY-----\nAA=A\n-----END PRIVATE KEY-----',damaged",
        "'-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----',damaged",
        "'-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----',DSA PRIVATE KEY"
    })
    void saysWhatIsWrong(String text, String message) {
        assertThatThrownBy(() -> PrivateKeys.read(text))
                .isInstanceOf(GeneralSecurityException.class)
                .hasMessageContaining(message);
    }

    @Test
    void damagedKeysAreErrorsOfKeysAndNothingElse() throws GeneralSecurityException {
        long seed = 7;
        Random random = new Random(seed);
        byte[] rsa = within(generate("RSA", 2048).getEncoded());
        byte[] ec = sec1(generate("EC", 256), CURVE);
        for (int i = 0; i < 2_000; i++) {
            byte[] damaged =
                    Arrays.copyOf(i % 2 == 0 ? rsa : ec, random.nextInt(1, (i % 2 == 0 ? rsa : ec).length + 1));
            damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
            String text = pem(i % 2 == 0 ? "RSA PRIVATE KEY" : "EC PRIVATE KEY", damaged);
            try {
                PrivateKeys.read(text);
            } catch (GeneralSecurityException e) {
                assertThat(e.getMessage()).as("seed %d, round %d", seed, i).isNotEmpty();
            }
        }
    }
}
