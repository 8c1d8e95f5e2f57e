//! Keys of every form in which they come, for tests alone.

/// An RSA key: PKCS#8.
pub(super) const RSA: &str = "\
-----BEGIN PRIVATE KEY-----
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCUNI1hilEjda1V
eT3keOxDMSkzp6qMLXsrEEychiaueVwBVI9ZqJHAjyUaccVv2Bfk7xz/cuVhwfYO
FjJ2uCvKT1AG3vO2GLZESViiwL2hEnOg3d6rcGy5598J2wxkS76Kdz8CjEjeU4ND
fitsUjIyUlTJlqNS47nrymETtUBwa8EPgbETtypn7gEbcg9sWC3bx80xPbp/Q5Gq
qCpn+wglRoXvfoygyGHvYHJ6mqWzE0pKqyZ/dMNNnwxHdP2tYp9U2EXhuPs3ZrfR
Y5B6USqmjSyq3BqaReYzBhAx01MEvLs6YtusllBVc2+B0mnt9t/mcfzj/Dp+I6UY
Crp5hzCrAgMBAAECggEAAR6Qfs8bo8fswjuDMymSp0NEy2YVzK8/QekCmyAMRL8X
6c6osoWqbCjon9WCJ0EblRgVQPyuLNnZMOwL/4eOlR2aPiMK9jIjlkpzh+8qv3+z
LeDfIK5ds93DeoCUDGHiE4upByzmE//PewAF9fB8/pJOn6MqoqKjsds6dnqk/PRg
dGVCXe9rmxGpp1ZXjSvaoLparWsAHRNSDUj1pcvmd15neSAD3jY8mNrqOSGN3kaF
yz8v52dbUTZYg13DhzXYpiGBWLbIN9DcDodOxudkPU/w6lQ0w2oMMsKWT0WRmkcZ
3NOohDOJ/Olt93ao6XM2n0D1ykjrxAUrnPQYrlxriQKBgQDIBAoHKGodgnjXpySY
k1KLODr32Q/nFyrfi0rPC77pBRm4CJR8VALuFVUyd/0dkmMAxhtnaAReYIyk+YKF
sM8bvvuPFpJnEqKYOX4Jqxsiuu0MLWqC/5mpXN96rX9andVTF8Cs8FWVD/Eq7JtQ
t5Pg9taEBv3d1uyz/uHf9atwpQKBgQC9sBN0jMTBIty9XYyd4yffXTlb7UqDNKwG
G70Rh+k8+4XW7/iMTcBhL6EweKVKJ7oT2eeWclOTscV8qE8Y1yVt4EFQzB5WzuAd
11H5gxmDKRNWp0WVu1o1Lano2sIxXshNy/8YkdDsr9SPoMlDkE9OVr2VLlbFq2KS
6LIX0mqLDwKBgA5NK6JjY2MExzs0OkumjQpjVOQP4zE02N3vCcRQJLBoqvQbuPJC
14rKf7MCHVkV9HpDsAXuzBEreiL5rDl+8PAc8cPDa2hvTqzvv3FViLUtBHIQdUM0
n3oap+gPq8GA85XjZuV2scfcwfO9w0U8OxikzaXXEiPgkEA2g1QOLtn5AoGATCRY
uukitbBL0Uuy/VHImJWwR6FJzr8e6ljKHTZkPpFsWSn8qD0xoxFeb7mOB+VIgV1v
4+lCeT/b2T0qevsp0CA7t7Yn24qxVekvw6uHWynq1FbSzNbmz//je1AMsYqtduUT
IgauScQO3BSblZ5g5z5UXYS7Wh+Asx3rFzrkf6sCgYB6Wc7yxQUKLthNJBV44rtU
ZlwYLpxZkZ9iZVQjxHtVIKhbquXG9qlobA5KV0Div14LkN136QOp7ATOL8dmTf6j
JwbqGQPBYt7CL3nwuYNhZ4Ik+UAfMNWoGzK2FkL6DwYnfgNgxkFaDXUzofZLMkBY
++iR9Qo4wlD9ZCdJKCTROA==
-----END PRIVATE KEY-----
";

/// What `openssl pkey -pubout -outform der | openssl dgst -sha256 -binary | base64` says of it.
pub(super) const RSA_PIN: &str = "O9+5hFlru/g7F34ErKE8mfiAbxsmLX9ZtOatAC/vcx4=";

/// A key that is encrypted as `openssl pkey -aes128` does it.
pub(super) const ENCRYPTED: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgntmLhvkm/FwICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEFWktEgKLO2+3n0YY12ltoYEgZCL
wNB2cpvm4IdsIa9KoyChFSwydGCWfWyK/5puiETCkPA1Z3HIE58QCUsiSYqHp2fx
gPT+tIfKO8l8Xsq1AM4P0SOMk5Nep4jlz0cwswT4C132UhJC+WcLA3fp1vc3fAld
N1RB/MNMo/Qf1WQo/x4PMKGuiXe/Y57OoVZgZwZ28Mj1ON/OcEHhbwsbiPeA6CI=
-----END ENCRYPTED PRIVATE KEY-----
";

/// A key that is encrypted as `openssl ec -aes128` does it.
pub(super) const ENCRYPTED_OLD: &str = "\
-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,1BAF1AA3A364C89B56752C6A9F1F498A

05SUaMvmi8wa8arFcoIy+Y2Av3Cao/KAWN1NmP7P+VheiE/StsLGsk4OOxJM8b0W
/csewBLgs7bffppnP5jpxL8NCDB0RVNsqV28901yAsp44xNCKojKT/kMTKMsupj5
iFrDxBFJqJKuyV329DoNKSqZS40o7krYkYoCf+sf5cg=
-----END EC PRIVATE KEY-----
";
