package agentproto

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// pkcs7Signature returns the signature inside a PKCS#7 SignedData (RFC 2315, section 9), the form that agents send
// whose key is in the Windows certificate store (wincrypto.cpp, wincrypto_sign): one signer, no authenticated
// attributes. With authenticated attributes the signature would be over those and prove nothing here, so they are
// refused. What is returned aliases der.
//
//	ContentInfo ::= SEQUENCE { contentType, [0] SignedData }
//	SignedData  ::= SEQUENCE { version, digestAlgorithms SET, contentInfo SEQUENCE, [0] certificates OPTIONAL,
//	                           [1] crls OPTIONAL, signerInfos SET OF SignerInfo }
//	SignerInfo  ::= SEQUENCE { version, issuerAndSerialNumber, digestAlgorithm, [0] authenticatedAttributes OPTIONAL,
//	                           digestEncryptionAlgorithm, encryptedDigest OCTET STRING, ... }
func pkcs7Signature(der []byte) ([]byte, error) {
	bad := func(what string) ([]byte, error) {
		return nil, malformed(CmdAuthVerify, "signature is neither raw nor PKCS#7: %s", what)
	}
	var contentInfo, explicit, signed cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&contentInfo, asn1.SEQUENCE) || !contentInfo.SkipASN1(asn1.OBJECT_IDENTIFIER) ||
		!contentInfo.ReadASN1(&explicit, asn1.Tag(0).Constructed().ContextSpecific()) || !explicit.ReadASN1(&signed, asn1.SEQUENCE) {
		return bad("no SignedData")
	}
	var signers, signer, signature cryptobyte.String
	if !signed.SkipASN1(asn1.INTEGER) || !signed.SkipASN1(asn1.SET) || !signed.SkipASN1(asn1.SEQUENCE) ||
		!signed.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) ||
		!signed.SkipOptionalASN1(asn1.Tag(1).Constructed().ContextSpecific()) || !signed.ReadASN1(&signers, asn1.SET) {
		return bad("no signer infos")
	}
	if !signers.ReadASN1(&signer, asn1.SEQUENCE) || !signers.Empty() {
		return bad("not exactly one signer")
	}
	if !signer.SkipASN1(asn1.INTEGER) || !signer.SkipASN1(asn1.SEQUENCE) || !signer.SkipASN1(asn1.SEQUENCE) {
		return bad("signer info is cut")
	}
	if signer.PeekASN1Tag(asn1.Tag(0).Constructed().ContextSpecific()) {
		return bad("authenticated attributes")
	}
	if !signer.SkipASN1(asn1.SEQUENCE) || !signer.ReadASN1(&signature, asn1.OCTET_STRING) {
		return bad("no encrypted digest")
	}
	return signature, nil
}
