package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
	"time"
)

// Nginx is a running nginx.
type Nginx struct {
	Program
	dir string
}

// nginxPath finds nginx, also where Debian puts it when PATH is that of a user.
func nginxPath() (string, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return exec.LookPath("/usr/sbin/nginx")
	}
	return path, nil
}

// StartNginx runs nginx with a configuration, what a nginx.conf holds except
// the events block and where processes, logs and temporary files are. Relative
// paths in it are below a directory of the test. It returns when nginx
// listens, and nginx is stopped when the test ends.
func StartNginx(t testing.TB, conf string) *Nginx {
	t.Helper()
	Require(t, PeerNginx)
	path, err := nginxPath()
	if err != nil {
		t.Fatal(err)
	}
	n := &Nginx{Program: newProgram("nginx", stopGrace), dir: t.TempDir()}
	if err := os.Mkdir(filepath.Join(n.dir, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	frame := "daemon off;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr notice;\n"
	if os.Getuid() == 0 {
		// Else the worker becomes nobody, who cannot enter the test's directory.
		me, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		frame += "user " + me.Username + ";\n"
	}
	n.write(t, frame+conf+"\nevents {}\n")
	cmd := exec.Command(path, "-p", n.dir, "-c", "nginx.conf", "-e", "stderr")
	cmd.Dir = n.dir
	n.endWith(t)
	if err := n.launch(cmd, false); err != nil {
		t.Fatal(err)
	}
	n.WaitLog(t, "start worker process ") // the sockets are open then
	return n
}

func (n *Nginx) write(t testing.TB, conf string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Reload makes nginx read its certificate files again, as after a renewal.
// Connections that are open stay open.
func (n *Nginx) Reload(t testing.TB) {
	t.Helper()
	mark := n.log.mark()
	n.Signal(t, hangUp)
	n.waitLogSince(t, mark, "start worker process ")
	n.waitLogSince(t, mark, "gracefully shutting down") // until then the old worker accepts too
}

// ReverseProxy is the usual way to put nginx in front of a server: it ends TLS
// with its own certificate and passes everything on, WebSockets too.
type ReverseProxy struct {
	Port              int    // to listen on
	CertFile, KeyFile string // what nginx shows
	Upstream          string // the server behind it: https://127.0.0.1:4430, without a path
}

// Conf returns the configuration for StartNginx.
func (p ReverseProxy) Conf() string {
	return fmt.Sprintf(`http {
  access_log off;
  client_body_temp_path tmp/body;
  proxy_temp_path tmp/proxy;
  fastcgi_temp_path tmp/fastcgi;
  uwsgi_temp_path tmp/uwsgi;
  scgi_temp_path tmp/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:%d ssl;
    ssl_certificate %q;
    ssl_certificate_key %q;
    location / {
      proxy_pass %s;
      proxy_ssl_verify off;
      proxy_http_version 1.1;
      proxy_set_header Host $host:%d;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Host $host:%d;
      proxy_read_timeout 330s;
      proxy_send_timeout 330s;
    }
  }
}
`, p.Port, p.CertFile, p.KeyFile, p.Upstream, p.Port, p.Port)
}

// SelfSigned writes a self-signed certificate for 127.0.0.1 and localhost, and
// its key, into dir, over what is there. With key nil it makes an ECDSA P-256
// one. It returns the names of the files.
func SelfSigned(t testing.TB, dir string, key crypto.Signer) (certFile, keyFile string) {
	t.Helper()
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(0, 0, 30),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "proxy-cert.pem"), filepath.Join(dir, "proxy-key.pem")
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der},
		keyFile:  {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
