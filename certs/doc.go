// Package certs makes, stores and checks the certificates of MeshCentral servers and agents, and reads and writes the .msh
// files that tell an agent where its server is.
//
//   - [Hash], [CertHash], [KeyHash] and [WebHashes] are what agents and servers compare of a TLS certificate.
//   - [ServerSet] has the certificates that a server works with. A [Folder] keeps them in the files of the reference
//     server, whose data folder it loads unchanged; [NewServerSet] makes a set in memory; an [Authority] issues single
//     certificates.
//   - [AgentIdentity] is the key and certificate that an agent is known by.
//   - [MSH] is a .msh file; [ReadEmbeddedMSH] and [WriteEmbeddedMSH] handle the form at the end of an executable.
//   - [ProxyCertificate] learns the certificate of a TLS-terminating proxy in front of the server.
//
// Every private key is a crypto.Signer, so it may stay in a TPM, a smart card or a key management service. Certificates
// are kept as the bytes they came in, and those that crypto/x509 refuses are usable: the reference server makes some, with
// a negative serial number. A library cannot make TLS work with a peer that has one. The program's go.mod can, with
// "godebug x509negativeserial=1", or a //go:debug line in its main package.
//
// Upstream facts were confirmed in certoperations.js, webserver.js, meshcentral.js, meshagent.js and exeHandler.js of
// MeshCentral 1.1.55 and in agentcore.c of MeshAgent. PROTOCOL.md beside this file has them as tables.
package certs
