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

// sometimes is a software that tells its slow part while it works.
type sometimes struct {
	software
	works bool
	asked int
}

func (s *sometimes) slow(context.Context, string) (own, network []chains.Sample) {
	if s.asked++; !s.works {
		return nil, nil
	}
	return []chains.Sample{nodePeers.Sample(1, "a")}, nil
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
