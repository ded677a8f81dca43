package service_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"

	"github.com/memfault-go/memfault/examples/relay/internal/auth"
	"github.com/memfault-go/memfault/examples/relay/internal/relaytest"
	"github.com/memfault-go/memfault/examples/relay/internal/service"
	"github.com/memfault-go/memfault/examples/relay/internal/tenants"
)

const secret = "a secret of a tenant"

// authTenants returns two tenants with secrets, of which the first has a second one.
func authTenants(t testing.TB, cloud *memfaulttest.Server) *tenants.Set {
	t.Helper()
	set, err := tenants.New([]tenants.Tenant{
		{Name: "acme", Prefix: "memfault", ProjectKey: cloud.ProjectKey(), TokenSecrets: []string{secret, "the secret before that one"}},
		{Name: "globex", Prefix: "globex", ProjectKey: "other-key", TokenSecrets: []string{"a secret of the other tenant"}},
	})
	require.NoError(t, err)
	return set
}

// send posts a chunk with headers, and returns the status.
func send(t *testing.T, client *http.Client, address, body string, headers ...string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	for n := 0; n < len(headers); n += 2 {
		request.Header.Set(headers[n], headers[n+1])
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	return response.StatusCode
}

// login connects by MQTT 3.1.1, and returns an error if the relay refuses.
func login(t testing.TB, options *paho.ClientOptions, user, password string) (paho.Client, error) {
	t.Helper()
	client := paho.NewClient(options.SetUsername(user).SetPassword(password).SetAutoReconnect(false).SetConnectRetry(false))
	token := client.Connect()
	require.True(t, token.WaitTimeout(20*time.Second))
	if token.Error() == nil {
		t.Cleanup(func() { client.Disconnect(0) })
	}
	return client, token.Error()
}

func TestRun_Tokens(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants = authTenants(t, cloud)
	r := start(t, c) // tokens are required, because there are secrets
	for name, test := range map[string]struct {
		path, token string
		want        int
	}{
		"own":                      {"/chunks/A", auth.Token(secret, "A"), 202},
		"own by the secret before": {"/chunks/A", auth.Token("the secret before that one", "A"), 202},
		"none":                     {"/chunks/A", "", 401},
		"of another device":        {"/chunks/B", auth.Token(secret, "A"), 401},
		"of another tenant":        {"/tenants/globex/chunks/A", auth.Token(secret, "A"), 401},
		"no tenant":                {"/tenants/nobody/chunks/A", auth.Token("", "A"), 401},
		"not hexadecimal":          {"/chunks/A", "x", 401},
		"project key":              {"/chunks/A", cloud.ProjectKey(), 401},
	} {
		assert.Equal(t, test.want, send(t, http.DefaultClient, "http://"+r.HTTP+test.path, name, "Authorization", "Bearer "+test.token), name)
	}
	assert.Equal(t, 401, send(t, http.DefaultClient, "http://"+r.HTTP+"/api/v0/chunks/A", "key", "Memfault-Project-Key", cloud.ProjectKey()), "all devices have the key")
	assert.Equal(t, 202, send(t, http.DefaultClient, "http://"+r.HTTP+"/api/v0/chunks/A", "both", "Memfault-Project-Key", cloud.ProjectKey(), "Authorization", "Bearer "+auth.Token(secret, "A")))

	options := func() *paho.ClientOptions { return paho.NewClientOptions().AddBroker("tcp://" + r.MQTT) }
	_, err := login(t, options().SetClientID("A"), "", "")
	require.Error(t, err, "no token")
	_, err = login(t, options(), "B", auth.Token(secret, "A"))
	require.Error(t, err, "the token of another device")
	device, err := login(t, options().SetClientID("x"), "A", auth.Token(secret, "A"))
	require.NoError(t, err)
	assert.True(t, publish(device, "memfault/A/chunk", "mqtt"))
	assert.False(t, publish(device, "memfault/B/chunk", "for another device"))
	device, err = login(t, options().SetClientID("A"), "A", auth.Token(secret, "A"))
	require.NoError(t, err)
	assert.False(t, publish(device, "globex/A/chunk", "for another tenant"))

	// The client ID of another device does not end its connection.
	device, err = login(t, options().SetClientID("mine"), "A", auth.Token(secret, "A"))
	require.NoError(t, err)
	_, err = login(t, options().SetClientID("mine"), "B", auth.Token(secret, "B"))
	require.NoError(t, err)
	assert.True(t, publish(device, "memfault/A/chunk", "still connected"))
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 5 }, "the chunks of the device arrive")
	assert.ElementsMatch(t, []string{"own", "own by the secret before", "both", "mqtt", "still connected"}, texts(cloud.Chunks("A")))
	assert.Empty(t, cloud.Chunks("B"))
	refused := r.only(t, "relay_chunks_refused")
	assert.Contains(t, refused, `reason="unauthorized",tenant="",transport="http"`)
	assert.Contains(t, refused, `reason="unauthorized",tenant="",transport="mqtt"`)
}

// A token whose secret is removed is not valid any more, also on a connection that exists.
func TestRun_TokensEnd(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants = authTenants(t, cloud)
	path := filepath.Join(t.TempDir(), "tenants.json")
	c.Reload = func() error { return c.Tenants.Reload(path) }
	r := start(t, c)
	device, err := login(t, paho.NewClientOptions().AddBroker("tcp://"+r.MQTT), "A", auth.Token(secret, "A"))
	require.NoError(t, err)
	write := func(secrets string) {
		require.NoError(t, os.WriteFile(path, []byte(`{"tenants": [{"name": "acme", "prefix": "memfault", "project_key": "k", "token_secrets": [`+secrets+`]}]}`), 0o600))
	}
	write("")
	require.ErrorContains(t, r.Reload(), "relay: tenants: acme: it has no token_secrets")
	write(`"short"`)
	require.ErrorContains(t, r.Reload(), "at least 16 characters")
	assert.True(t, publish(device, "memfault/A/chunk", "one"))
	write(`"another secret of acme"`)
	require.NoError(t, r.Reload())
	assert.False(t, publish(device, "memfault/A/chunk", "two"))
}

// Firmware with a proxy host sends as it would to Memfault.
func TestRun_FirmwarePath(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants, c.Auth, c.MaxChunk = authTenants(t, cloud), auth.Key, 1000
	r := start(t, c)
	post := func(body string, headers ...string) int {
		return send(t, http.DefaultClient, "http://"+r.HTTP+"/api/v0/chunks/A", body, headers...)
	}
	key := []string{"Memfault-Project-Key", cloud.ProjectKey()}
	assert.Equal(t, 202, post("as it is", append(key, "Content-Type", "application/octet-stream")...))
	assert.Equal(t, 401, post("no key"))
	assert.Equal(t, 401, post("unknown key", "Memfault-Project-Key", "unknown"))
	assert.Equal(t, 401, send(t, http.DefaultClient, "http://"+r.HTTP+"/tenants/globex/chunks/A", "the key of another tenant", key...))
	binary := string([]byte{0x00, 0x80, 0xff})
	assert.Equal(t, 202, post(base64.StdEncoding.EncodeToString([]byte(binary)), append(key, "Content-Encoding", "base64")...))
	assert.Equal(t, 400, post("%%%", append(key, "Content-Encoding", "base64")...))
	assert.Equal(t, 413, post(base64.StdEncoding.EncodeToString(make([]byte, 1001)), append(key, "Content-Encoding", "base64")...))
	for _, encoding := range []string{"gzip", "base64, gzip", "deflate"} {
		assert.Equal(t, 415, post("x", append(key, "Content-Encoding", encoding)...), encoding)
	}
	for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=b"} {
		assert.Equal(t, 415, post("{}", append(key, "Content-Type", kind)...), kind)
	}
	// MQTT, with the key as the password of every device.
	device, err := login(t, paho.NewClientOptions().AddBroker("tcp://"+r.MQTT), "A", cloud.ProjectKey())
	require.NoError(t, err)
	assert.True(t, publish(device, "memfault/A/chunk", "mqtt"))
	assert.False(t, publish(device, "globex/A/chunk", "mqtt"))
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 3 }, "the chunks arrive")
	assert.Equal(t, []string{"as it is", binary, "mqtt"}, texts(cloud.Chunks("A")))
}

// Who listens for the world has to say who may send.
func TestRun_AuthMustBeChosen(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		for _, set := range []func(c *service.Config){
			func(c *service.Config) { c.HTTP = address },
			func(c *service.Config) { c.MQTT = address },
		} {
			c := config(t, cloud)
			set(&c)
			require.ErrorContains(t, service.Run(t.Context(), c), "-auth off", address)
		}
	}
	c := config(t, cloud)
	c.Auth = "maybe"
	require.ErrorContains(t, service.Run(t.Context(), c), `unknown -auth "maybe"`)
	c.Auth, c.HTTP = auth.Off, ":0"
	start(t, c)
}

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{}
	certificate, key := a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, time.Hour)
	a.certificate, a.key = certificate, key
	return a
}

var serialNumber int64

func (a *authority) sign(t testing.TB, template *x509.Certificate, valid time.Duration) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serialNumber++
	template.SerialNumber = big.NewInt(serialNumber)
	template.NotBefore, template.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(valid)
	parent, signer := template, key
	if a.certificate != nil {
		parent, signer = a.certificate, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return certificate, key
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// client returns a certificate for a device.
func (a *authority) client(t *testing.T, name, uri string, valid time.Duration) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if uri != "" {
		u, err := url.Parse(uri)
		require.NoError(t, err)
		template.URIs = []*url.URL{u}
	}
	certificate, key := a.sign(t, template, valid)
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
}

// files writes a certificate for the server, and returns the files.
func (a *authority) files(t testing.TB, dir string) auth.Files {
	t.Helper()
	certificate, key := a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "relay"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, time.Hour)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600))
		return path
	}
	return auth.Files{
		Certificate: write("cert.pem", "CERTIFICATE", certificate.Raw), Key: write("key.pem", "EC PRIVATE KEY", der),
		ClientCA: write("ca.pem", "CERTIFICATE", a.certificate.Raw),
	}
}

func TestRun_TLS(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants = authTenants(t, cloud)
	a, dir := newAuthority(t), t.TempDir()
	var err error
	c.TLS, err = auth.LoadTLS(a.files(t, dir))
	require.NoError(t, err)
	r := start(t, c)
	trust := func(server *authority, certificates ...tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: server.pool(), Certificates: certificates, MinVersion: tls.VersionTLS12}
	}
	https := func(config *tls.Config) *http.Client {
		transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
		return &http.Client{Transport: transport}
	}
	mqtts := func(config *tls.Config) *paho.ClientOptions {
		return paho.NewClientOptions().AddBroker("mqtts://" + r.MQTT).SetTLSConfig(config)
	}
	own := a.client(t, "acme/A", "", time.Hour)
	for name, test := range map[string]struct {
		certificate tls.Certificate
		path        string
		want        int
	}{
		"common name":                       {own, "/chunks/A", 202},
		"of another device":                 {own, "/chunks/B", 403},
		"of another tenant":                 {own, "/tenants/globex/chunks/A", 403},
		"URI":                               {a.client(t, "x", "spiffe://example.com/devices/acme/A", time.Hour), "/chunks/A", 202},
		"URI of another device":             {a.client(t, "acme/A", "spiffe://example.com/acme/B", time.Hour), "/chunks/A", 403},
		"common name without a tenant":      {a.client(t, "A", "", time.Hour), "/chunks/A", 403},
		"common name that ends in a serial": {a.client(t, "x/acme/A", "", time.Hour), "/chunks/A", 403},
	} {
		assert.Equal(t, test.want, send(t, https(trust(a, test.certificate)), "https://"+r.HTTP+test.path, name), name)
	}
	assert.Equal(t, 401, send(t, https(trust(a)), "https://"+r.HTTP+"/chunks/A", "none"))
	assert.Equal(t, 202, send(t, https(trust(a)), "https://"+r.HTTP+"/chunks/A", "token", "Authorization", "Bearer "+auth.Token(secret, "A")))
	for name, certificate := range map[string]tls.Certificate{
		"expired": a.client(t, "acme/A", "", -time.Hour), "of another authority": newAuthority(t).client(t, "acme/A", "", time.Hour),
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+r.HTTP+"/chunks/A", strings.NewReader(name))
		require.NoError(t, err)
		response, err := https(trust(a, certificate)).Do(request)
		if err == nil { // without a common authority, the client sends no certificate
			require.NoError(t, response.Body.Close())
			require.Equal(t, 401, response.StatusCode, name)
		}
		_, err = login(t, mqtts(trust(a, certificate)), "", "")
		require.Error(t, err, name)
	}
	device, err := login(t, mqtts(trust(a, own)), "", "")
	require.NoError(t, err)
	assert.True(t, publish(device, "memfault/A/chunk", "mqtt"))
	assert.False(t, publish(device, "memfault/B/chunk", "mqtt"))
	_, err = login(t, mqtts(trust(a)), "", "")
	require.Error(t, err, "no certificate")
	_, err = login(t, paho.NewClientOptions().AddBroker("tcp://"+r.MQTT).SetConnectTimeout(20*time.Second), "A", auth.Token(secret, "A"))
	require.Error(t, err, "no TLS")
	eventually(t, func() bool { return len(cloud.Chunks("A")) == 4 }, "the chunks arrive")
	assert.Empty(t, cloud.Chunks("B"))

	// Another certificate, after SIGHUP. The old client does not trust it.
	b := newAuthority(t)
	b.files(t, dir)
	require.NoError(t, r.Reload())
	assert.Equal(t, 202, send(t, https(trust(b)), "https://"+r.HTTP+"/chunks/A", "again", "Authorization", "Bearer "+auth.Token(secret, "A")))
	_, err = https(trust(a)).Get("https://" + r.HTTP + "/")
	require.Error(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("no certificate"), 0o600))
	require.ErrorContains(t, r.Reload(), "relay: TLS: ")
	assert.Equal(t, 401, send(t, https(trust(b)), "https://"+r.HTTP+"/chunks/A", "the old files are used"))
}

func TestRun_Limits(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.MaxChunk, c.Requests, c.RequestBytes = 1000, 2, 5000
	c.ConnectionsOfAddress = 3
	r := start(t, c)
	// Requests that do not end.
	var slow []net.Conn
	for range 2 {
		connection, err := net.Dial("tcp", r.HTTP)
		require.NoError(t, err)
		defer connection.Close()
		_, err = fmt.Fprintf(connection, "POST /chunks/A HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n")
		require.NoError(t, err)
		slow = append(slow, connection)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	eventually(t, func() bool { return send(t, client, "http://"+r.HTTP+"/chunks/A", "x") == 503 }, "too many requests")
	for range 3 {
		connection, err := net.Dial("tcp", r.HTTP)
		require.NoError(t, err)
		defer connection.Close()
	}
	eventually(t, func() bool { return strings.Contains(r.only(t, "relay_connections_refused"), "_total 2") }, "too many connections of an address")
	for _, connection := range slow {
		_, err := connection.Write(bytes.Repeat([]byte("x"), 500))
		require.NoError(t, err)
	}
	eventually(t, func() bool { return len(cloud.Chunks("A")) >= 2 }, "the slow requests are served")
	assert.Contains(t, r.only(t, "relay_chunks_refused"), `reason="too_many_requests",tenant="acme",transport="http"`)
}

func TestRun_MemoryOfRequests(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.MaxChunk, c.RequestBytes = 1000, 5000
	r := start(t, c)
	var body strings.Builder
	for range 10 {
		body.WriteString("--b\r\n\r\n" + strings.Repeat("x", 900) + "\r\n")
	}
	body.WriteString("--b--\r\n")
	response, text := r.post(t, "/chunks/A", "multipart/mixed; boundary=b", body.String())
	assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	assert.Contains(t, text, "too_many_requests")
	response, _ = r.post(t, "/chunks/A", "", "small")
	assert.Equal(t, http.StatusAccepted, response.StatusCode, "what a request used is free again")
}

// No log contains what devices and the relay authenticate with.
func TestRun_SecretsInNoLog(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	c := config(t, cloud)
	c.Tenants = authTenants(t, cloud)
	var logs relaytest.Output
	c.Logger = slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := start(t, c)
	token := auth.Token(secret, "A")
	send(t, http.DefaultClient, "http://"+r.HTTP+"/chunks/B", "x", "Authorization", "Bearer "+token)
	device, err := login(t, paho.NewClientOptions().AddBroker("tcp://"+r.MQTT), "A", token)
	require.NoError(t, err)
	assert.False(t, publish(device, "memfault/B/chunk", "x"))
	require.NoError(t, r.stop())
	assert.Contains(t, logs.String(), "unauthorized")
	for _, text := range []string{token, secret, cloud.ProjectKey()} {
		assert.NotContains(t, logs.String(), text)
	}
}
