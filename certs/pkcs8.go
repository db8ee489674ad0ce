package certs

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // only to read keys that others encrypted
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
)

// maxIterations bounds the work that a key file can ask for: some seconds.
const maxIterations = 10_000_000

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// encryptedKey is EncryptedPrivateKeyInfo of RFC 5958 with the parameters of PBES2, RFC 8018 appendix A.
type encryptedKey struct {
	Algorithm struct {
		OID    asn1.ObjectIdentifier
		Params struct {
			KDF struct {
				OID    asn1.ObjectIdentifier
				Params struct {
					Salt       []byte
					Iterations int
					KeyLength  int                      `asn1:"optional"`
					PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
				}
			}
			Cipher struct {
				OID asn1.ObjectIdentifier
				IV  []byte
			}
		}
	}
	Data []byte
}

// decryptPKCS8 opens an encrypted private key with the first password that fits. It reads what OpenSSL and the reference
// server's tools write: PBES2 with PBKDF2 and a block cipher in CBC mode.
func decryptPKCS8(der []byte, passwords []string) (any, error) {
	var e encryptedKey
	if rest, err := asn1.Unmarshal(der, &e); err != nil {
		return nil, fmt.Errorf("encrypted PKCS#8: %w", err)
	} else if len(rest) != 0 {
		return nil, errors.New("encrypted PKCS#8: data after the key")
	}
	params := e.Algorithm.Params
	if !e.Algorithm.OID.Equal(oidPBES2) || !params.KDF.OID.Equal(oidPBKDF2) {
		return nil, fmt.Errorf("encrypted PKCS#8: scheme %v with %v is not supported", e.Algorithm.OID, params.KDF.OID)
	}
	prf := prfByOID(params.KDF.Params.PRF.Algorithm)
	size, newCipher := cipherByOID(params.Cipher.OID)
	if prf == nil || newCipher == nil {
		return nil, fmt.Errorf("encrypted PKCS#8: cipher %v with hash %v is not supported",
			params.Cipher.OID, params.KDF.Params.PRF.Algorithm)
	}
	if n := params.KDF.Params.Iterations; n < 1 || n > maxIterations {
		return nil, fmt.Errorf("encrypted PKCS#8: %d iterations, at most %d are done", n, maxIterations)
	}
	for _, password := range passwords {
		secret, err := pbkdf2.Key(prf, password, params.KDF.Params.Salt, params.KDF.Params.Iterations, size)
		if err != nil {
			return nil, fmt.Errorf("encrypted PKCS#8: %w", err)
		}
		block, err := newCipher(secret)
		if err != nil {
			return nil, fmt.Errorf("encrypted PKCS#8: %w", err)
		}
		plain, ok := decryptCBC(block, params.Cipher.IV, e.Data)
		if !ok {
			continue
		}
		// A wrong password passes the padding check once in 256 times, but is no key then.
		if key, err := x509.ParsePKCS8PrivateKey(plain); err == nil {
			return key, nil
		}
	}
	return nil, ErrPassword
}

func prfByOID(oid asn1.ObjectIdentifier) func() hash.Hash {
	switch oid.String() {
	case "", "1.2.840.113549.2.7": // hmacWithSHA1 is the default
		return sha1.New
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	default:
		return nil
	}
}

func cipherByOID(oid asn1.ObjectIdentifier) (keySize int, newCipher func([]byte) (cipher.Block, error)) {
	switch oid.String() {
	case "1.2.840.113549.3.7":
		return 24, des.NewTripleDESCipher
	case "2.16.840.1.101.3.4.1.2":
		return 16, aes.NewCipher
	case "2.16.840.1.101.3.4.1.22":
		return 24, aes.NewCipher
	case "2.16.840.1.101.3.4.1.42":
		return 32, aes.NewCipher
	default:
		return 0, nil
	}
}

// decryptCBC decrypts data and cuts the padding of RFC 8018 section 6.1.1 off.
func decryptCBC(block cipher.Block, iv, data []byte) ([]byte, bool) {
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, false
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	n := int(plain[len(plain)-1])
	if n < 1 || n > size {
		return nil, false
	}
	for _, b := range plain[len(plain)-n:] {
		if int(b) != n {
			return nil, false
		}
	}
	return plain[:len(plain)-n], true
}
