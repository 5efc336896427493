package lightning

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"

	"github.com/layerwatch/layerwatch/chains"
)

// sometimes is a software that tells the slow parts that work.
type sometimes struct {
	software
	own, network bool
	asked        int
}

func (s *sometimes) slow(context.Context, string) (own, network []chains.Sample) {
	s.asked++
	if s.own {
		own = []chains.Sample{nodeFeesEarnedRecently.Sample(1, "a", "day")}
	}
	if s.network {
		network = []chains.Sample{nodes.Sample(1)}
	}
	return own, network
}

// certificateOf is a server's certificate in PEM.
func certificateOf(s *server) []byte { return encoded(s.Certificate().Raw) }

func encoded(raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

// otherCertificate is one that no server here has.
var otherCertificate = func() string {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		panic(err)
	}
	return string(encoded(raw))
}()
