package dev.jeton.server.tls;

import java.io.ByteArrayOutputStream;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Private keys in PEM (RFC 7468), unencrypted: PKCS #8 ({@code PRIVATE KEY}), and PKCS #1 ({@code RSA PRIVATE KEY}, RFC
 * 8017) and SEC 1 ({@code EC PRIVATE KEY}, RFC 5915), which OpenSSL and cert-manager write, too, and Java reads only
 * once PKCS #8 is put around them.
 */
final class PrivateKeys {

    private static final Pattern BLOCK =
            Pattern.compile("-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.*?)-----END \\1-----", Pattern.DOTALL);
    private static final Pattern OTHERS =
            Pattern.compile("-----BEGIN ([A-Z ]*(?:KEY|PARAMETERS))-----.*?-----END \\1-----", Pattern.DOTALL);
    private static final List<String> ALGORITHMS = List.of("RSA", "EC", "EdDSA");
    private static final String ENCRYPTED =
            "the key is encrypted; write it without a password, as by: openssl pkey -in FILE -out PLAIN";

    private static final int INTEGER = 0x02;
    private static final int OCTET_STRING = 0x04;
    private static final int SEQUENCE = 0x30;
    private static final int CURVE = 0xa0;
    private static final byte[] VERSION_0 = {INTEGER, 1, 0};
    /** AlgorithmIdentifier of rsaEncryption, 1.2.840.113549.1.1.1, with no parameters. */
    private static final byte[] RSA = {
        SEQUENCE, 13, 6, 9, 0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 1, 1, 1, 5, 0
    };
    /** id-ecPublicKey, 1.2.840.10045.2.1. */
    private static final byte[] EC = {6, 7, 0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 2, 1};

    private PrivateKeys() {}

    /**
     * The first key of a PEM text.
     *
     * @throws GeneralSecurityException where there is none, or none that can be used; its message says so
     */
    static PrivateKey read(String pem) throws GeneralSecurityException {
        Matcher found = BLOCK.matcher(pem);
        if (!found.find()) {
            throw new GeneralSecurityException("there is no PEM block of a private key in it");
        }
        String kind = found.group(1);
        String body = found.group(2);
        if (kind.startsWith("ENCRYPTED") || body.contains("ENCRYPTED")) {
            throw new GeneralSecurityException(ENCRYPTED);
        }
        byte[] der;
        try {
            der = Base64.getMimeDecoder().decode(body);
        } catch (IllegalArgumentException e) {
            throw new GeneralSecurityException("the private key is damaged: " + e.getMessage(), e);
        }
        return switch (kind) {
            case "PRIVATE KEY" -> ofPkcs8(der);
            case "RSA PRIVATE KEY" -> ofPkcs8(wrap(RSA, der));
            case "EC PRIVATE KEY" -> ofPkcs8(wrap(element(SEQUENCE, joined(EC, curve(der))), der));
            default -> throw new GeneralSecurityException("keys of the kind '%s' cannot be used".formatted(kind));
        };
    }

    /** A PEM text without its blocks of keys and their parameters: one file may hold them and certificates. */
    static String without(String pem) {
        return OTHERS.matcher(pem).replaceAll("");
    }

    private static PrivateKey ofPkcs8(byte[] der) throws GeneralSecurityException {
        GeneralSecurityException last = new GeneralSecurityException("no algorithm");
        for (String algorithm : ALGORITHMS) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
            } catch (GeneralSecurityException e) {
                last = e;
            }
        }
        throw new GeneralSecurityException(
                "the private key is damaged, or of an algorithm other than %s".formatted(String.join(", ", ALGORITHMS)),
                last);
    }

    /** PrivateKeyInfo of PKCS #8 (RFC 5958): version, algorithm, key. */
    private static byte[] wrap(byte[] algorithm, byte[] key) {
        return element(SEQUENCE, joined(VERSION_0, algorithm, element(OCTET_STRING, key)));
    }

    /** The object identifier of the curve, as {@code ECPrivateKey} has it. */
    private static byte[] curve(byte[] der) throws GeneralSecurityException {
        int end = content(der, 0) + length(der, 0);
        for (int at = content(der, 0); at < end && at < der.length; at = content(der, at) + length(der, at)) {
            if ((der[at] & 0xff) == CURVE && content(der, at) + length(der, at) <= der.length) {
                return Arrays.copyOfRange(der, content(der, at), content(der, at) + length(der, at));
            }
        }
        throw new GeneralSecurityException("the private key does not say which curve it is for");
    }

    private static byte[] joined(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    /** An element of DER. */
    private static byte[] element(int tag, byte[] content) {
        int size = content.length;
        byte[] head = size < 0x80
                ? new byte[] {(byte) tag, (byte) size}
                : size < 0x100
                        ? new byte[] {(byte) tag, (byte) 0x81, (byte) size}
                        : new byte[] {(byte) tag, (byte) 0x82, (byte) (size >> 8), (byte) size};
        return joined(head, content);
    }

    /** Where the content of the element at {@code at} begins. */
    private static int content(byte[] der, int at) throws GeneralSecurityException {
        int first = octet(der, at + 1);
        return at + 2 + (first < 0x80 ? 0 : first - 0x80);
    }

    /** Bytes of the content of the element at {@code at}. */
    private static int length(byte[] der, int at) throws GeneralSecurityException {
        int first = octet(der, at + 1);
        if (first < 0x80) {
            return first;
        }
        int length = 0;
        for (int i = 0; i < Math.min(first - 0x80, 3); i++) {
            length = length << 8 | octet(der, at + 2 + i);
        }
        return length;
    }

    private static int octet(byte[] der, int at) throws GeneralSecurityException {
        if (at >= der.length) {
            throw new GeneralSecurityException("the private key is damaged: it ends too early");
        }
        return der[at] & 0xff;
    }
}
