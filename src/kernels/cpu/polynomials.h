// The coefficients of the elementwise functions, lowest power first. Written by scripts/fit_polynomials.py.
#pragma once

#include <cstdint>

namespace pellucid::kernels {

/// (exp(r) - 1 - r) / r^2 on |r| <= log(2) / 2. Relative error 2^-57.56.
inline constexpr double kExp[] = {0x1.0000000000000p-1,  0x1.5555555555557p-3,  0x1.5555555555556p-5,
                                  0x1.11111111100d5p-7,  0x1.6c16c16c162d1p-10, 0x1.a01a01abeb69fp-13,
                                  0x1.a01a01a6da7e2p-16, 0x1.71de0226bd07ap-19, 0x1.27e4db5e389d2p-22,
                                  0x1.af4e000e84be8p-26, 0x1.1f73102e57f8bp-29};
/// The same for float32 results. Relative error 2^-28.36.
inline constexpr double kExpNarrow[] = {0x1.0000000b94842p-1, 0x1.5555555a7a6a9p-3,  0x1.5554e8f146468p-5,
                                        0x1.1110e0e8eb8efp-7, 0x1.6d434175a5655p-10, 0x1.a1250b6c97245p-13};
/// (2 atanh(s) - 2 s) / s^3, s^2 on [0, 0.0295]. Relative error 2^-54.0.
inline constexpr double kLog[] = {0x1.5555555555555p-1, 0x1.9999999999a38p-2, 0x1.2492492476cb4p-2,
                                  0x1.c71c72015bad7p-3, 0x1.745cf90379890p-3, 0x1.3b1c359544709p-3,
                                  0x1.0fbe8fb2e371fp-3, 0x1.0c03dc833a5a1p-3};
/// The same for float32 results. Relative error 2^-29.14.
inline constexpr double kLogNarrow[] = {0x1.5555554bb25bep-1, 0x1.9999eb5fb02d9p-2, 0x1.245c428d15a37p-2,
                                        0x1.ddcf0b5617d33p-3};
/// The same in float32. Relative error 2^-26.56.
inline constexpr float kExp32[] = {0x1.0000000000000p-1f, 0x1.5555560000000p-3f,  0x1.5554e80000000p-5f,
                                   0x1.1110e00000000p-7f, 0x1.6d43420000000p-10f, 0x1.a1250c0000000p-13f};
/// (log(1 + f) - f + f^2 / 2) / f^3 on [sqrt(1/2) - 1, sqrt(2) - 1]. Relative error 2^-23.71.
inline constexpr float kLog32[] = {0x1.5555540000000p-2f,  -0x1.fffffc0000000p-3f, 0x1.999d5a0000000p-3f,
                                   -0x1.555b4a0000000p-3f, 0x1.23d21a0000000p-3f,  -0x1.fcf4c60000000p-4f,
                                   0x1.dea2820000000p-4f,  -0x1.d635bc0000000p-4f, 0x1.1d8ea60000000p-4f};
/// (tanh(x) - x) / x^3, x^2 on [0, 0.36]. Relative error 2^-24.68.
inline constexpr float kTanh32[] = {-0x1.5555560000000p-2f, 0x1.1110f60000000p-3f,  -0x1.ba0d940000000p-5f,
                                    0x1.64fad80000000p-6f,  -0x1.1394ca0000000p-7f, 0x1.36bdb20000000p-9f};
/// (2 atanh(s) - 2 s - 2 s^3 / 3) / s^5, s^2 on [0, 0.0295]. Relative error 2^-53.78.
inline constexpr double kLogTail[] = {0x1.999999999999ap-2, 0x1.2492492492521p-2, 0x1.c71c71c6eaa62p-3,
                                      0x1.745d177a9177ap-3, 0x1.3b1395d3ff9c9p-3, 0x1.1118c77d5109dp-3,
                                      0x1.df7cde867e642p-4, 0x1.e02d8dd655accp-4};
/// (sin(r) - r) / r^3, r^2 on [0, (pi/4)^2]. Relative error 2^-53.96.
inline constexpr double kSin[] = {-0x1.5555555555555p-3, 0x1.1111111111110p-7,   -0x1.a01a01a019938p-13,
                                  0x1.71de3a54608ebp-19, -0x1.ae645412b943ap-26, 0x1.61217f01e669dp-33,
                                  -0x1.ab17ce5c27ec1p-41};
/// (cos(r) - 1 + r^2 / 2) / r^4, r^2 on [0, (pi/4)^2]. Relative error 2^-53.99.
inline constexpr double kCos[] = {0x1.5555555555555p-5,   -0x1.6c16c16c16c16p-10, 0x1.a01a01a019d0ap-16,
                                  -0x1.27e4fb7712d33p-22, 0x1.1eed8deb92463p-29,  -0x1.9394ba044cb13p-37,
                                  0x1.ab7855f7f8d61p-45};
/// The same for float32 results. Relative error 2^-32.43.
inline constexpr double kSinNarrow[] = {-0x1.555555545e045p-3, 0x1.11110def1e783p-7, -0x1.a013a77e99748p-13,
                                        0x1.6dbe015f8a97bp-19};
/// The same for float32 results. Relative error 2^-34.02.
inline constexpr double kCosNarrow[] = {0x1.5555555502cd2p-5, -0x1.6c16bf54dcb19p-10, 0x1.a015c46f77231p-16,
                                        -0x1.252449915c103p-22};
/// (sin(r) - r) / r^3, r^2 on [0, (pi/4 + 0.003)^2]. Relative error 2^-22.64.
inline constexpr float kSin32[] = {-0x1.5555520000000p-3f, 0x1.110c160000000p-7f, -0x1.9abf580000000p-13f};
/// (cos(r) - 1 + r^2 / 2) / r^4, r^2 on [0, (pi/4 + 0.003)^2]. Relative error 2^-23.97.
inline constexpr float kCos32[] = {0x1.5555540000000p-5f, -0x1.6c12c40000000p-10f, 0x1.9bd0500000000p-16f};
/// (asin(x) - x) / x^3, x^2 on [0, 1/4]. Relative error 2^-52.95.
inline constexpr double kAsin[] = {
    0x1.5555555555556p-3, 0x1.3333333332ecap-4,  0x1.6db6db6e31f13p-5, 0x1.f1c71c1db0623p-6, 0x1.6e8bb1c8209a2p-6,
    0x1.1c4d35cf95421p-6, 0x1.c9cf07674736ap-7,  0x1.782651caa6547p-7, 0x1.52420b04b37bep-7, 0x1.65a9c4dfcf8b2p-8,
    0x1.1d189408314eep-6, -0x1.e6aaa8a0a04ccp-7, 0x1.d72b2bc8155f8p-6};
/// (atan(x) - x) / x^3, x^2 on [0, tan(pi/8)^2]. Relative error 2^-53.95.
inline constexpr double kAtan[] = {-0x1.5555555555555p-2, 0x1.9999999999953p-3,  -0x1.249249248d7edp-3,
                                   0x1.c71c71c304abfp-4,  -0x1.745d165df1ebcp-4, 0x1.3b1392d9ac29cp-4,
                                   -0x1.110e8806502cdp-4, 0x1.e19a135a37655p-5,  -0x1.ac7a90ca0fd9dp-5,
                                   0x1.74ddc7773fc8cp-5,  -0x1.1b3398d0f382bp-5, 0x1.0ad322a0cce5ap-6};
/// The same for float32 results. Relative error 2^-33.55.
inline constexpr double kAsinNarrow[] = {0x1.55555554ee47bp-3, 0x1.333334ceb6520p-4, 0x1.6db5cfb6af282p-5,
                                         0x1.f208eb1ddd0fbp-6, 0x1.6a9e3262c37dbp-6, 0x1.3c5053c2afce1p-6,
                                         0x1.64b97e009bd03p-8, 0x1.e0231588b1e55p-6};
/// The same for float32 results. Relative error 2^-34.04.
inline constexpr double kAtanNarrow[] = {-0x1.555555550217ep-2, 0x1.9999982592c1dp-3,  -0x1.2491c08a69f9cp-3,
                                         0x1.c6f6870d328fcp-4,  -0x1.71d3bef736c5ep-4, 0x1.244342cd8400cp-4,
                                         -0x1.4b38607337cdcp-5};
/// erf(x) / x, x^2 on [0, 1]. Relative error 2^-54.89.
inline constexpr double kErf[] = {0x1.20dd750429b6dp+0,   -0x1.812746b0379e7p-2,  0x1.ce2f21a042bdep-4,
                                  -0x1.b82ce312889bap-6,  0x1.565bcd0e6502dp-8,   -0x1.c02db3feeb579p-11,
                                  0x1.f9a326c233146p-14,  -0x1.f4d2561aeafd4p-17, 0x1.b9e6509b9867dp-20,
                                  -0x1.5f6d925a0bc7ap-23, 0x1.fc4356498c2d9p-27,  -0x1.4e607b41a6416p-30,
                                  0x1.7f072188e194dp-34,  -0x1.29b9f1b3df556p-38};
/// The same for float32 results. Relative error 2^-34.67.
inline constexpr double kErfNarrow[] = {0x1.20dd7504045d6p+0,  -0x1.81274665754c3p-2, 0x1.ce2f08fec14fdp-4,
                                        -0x1.b829c897922e5p-6, 0x1.562a60ddba6e6p-8,  -0x1.bccf664d7f763p-11,
                                        0x1.d887505de3ba6p-14, -0x1.445f47d33d87bp-17};
/// (1 + 2 x) exp(x^2) erfc(x), (x - 4) / (x + 4) on [-1, 1]. Relative error 2^-54.44.
inline constexpr double kErfc[] = {
    0x1.3ba5916e9fd7fp+0,   -0x1.1df1ad154a28ep-3,  0x1.f7f5df66fc17fp-7,   0x1.16ecefcfa5214p-4,
    -0x1.9ddb23c3e0c24p-4,  0x1.7fee004e16d41p-4,   -0x1.0fb06dfee4790p-4,  0x1.3079edf5d9d05p-5,
    -0x1.0962386da3255p-6,  0x1.49c672b9685c9p-8,   -0x1.8d4aaa8fbecd3p-11, -0x1.a1df4a1e54016p-13,
    0x1.3be12bafab22ap-13,  -0x1.99551e5f8ddfep-16, -0x1.78a738af96568p-17, 0x1.7f01a1188bc1fp-18,
    0x1.400a001d727ecp-22,  -0x1.b9339da9d8ef8p-21, 0x1.31744de78f503p-24,  0x1.cad9b28b4ee51p-24,
    -0x1.19048933c6bf0p-26, -0x1.af0973b56ee94p-27, 0x1.afe47407a7392p-30,  0x1.0967e57a1324bp-30};
/// The same for float32 results. Relative error 2^-32.35.
inline constexpr double kErfcNarrow[] = {0x1.3ba5916e9fd7fp+0,  -0x1.1df1acab84012p-3,  0x1.f7f5e049826ffp-7,
                                         0x1.16ecd0d5981f5p-4,  -0x1.9ddb27e38af69p-4,  0x1.7fef5236c244ep-4,
                                         -0x1.0fb0419cd392bp-4, 0x1.306d21e211a1dp-5,   -0x1.09658060f0eb8p-6,
                                         0x1.4ac86484c9a2ep-8,  -0x1.8c4d114ec2647p-11, -0x1.ce6a336ccfa11p-13,
                                         0x1.36d15a5577eb0p-13, -0x1.2077fb00582a2p-17, -0x1.45f8b89f1c2b3p-17};
/// (erf(x) - x) / x, x^2 on [0, 1]; it passes 0 there. Relative error 2^-18.81.
inline constexpr float kErf32[] = {0x1.06eba80000000p-3f,  -0x1.8127460000000p-2f, 0x1.ce2f080000000p-4f,
                                   -0x1.b829c80000000p-6f, 0x1.562a600000000p-8f,  -0x1.bccf660000000p-11f,
                                   0x1.d887500000000p-14f, -0x1.445f480000000p-17f};
/// (1 + x / 3) exp(x^2) erfc(x) for 1 <= x <= 4.5, 1 / (1 + x / 3) - 1/2 on [-0.1, 0.25]. Relative error 2^-24.51.
inline constexpr float kErfc32[] = {0x1.6e98280000000p-2f, 0x1.2d88400000000p-1f, 0x1.92edbc0000000p-1f,
                                    0x1.a7cfe80000000p-1f, 0x1.46c4f60000000p-1f, 0x1.2e90920000000p-2f,
                                    -0x1.9845740000000p-4f};
/// log(1 + x) / x, x - 1/2 on [-1/2, 1/2]. Relative error 2^-24.91.
inline constexpr float kLog1pOverX32[] = {0x1.9f323e0000000p-1f,  -0x1.2773a60000000p-2f, 0x1.0f95b40000000p-3f,
                                          -0x1.153f9e0000000p-4f, 0x1.2beb4c0000000p-5f,  -0x1.510aa40000000p-6f,
                                          0x1.843a2e0000000p-7f,  -0x1.b9fb4c0000000p-8f, 0x1.06e9000000000p-8f,
                                          -0x1.aa8da60000000p-9f, 0x1.04667a0000000p-9f};
/// erfinv(x) / x, w = -log(1 - x^2), w - 3.125 on [-3.125, 3.125]. Relative error 2^-53.97.
inline constexpr double kErfinvCentre[] = {
    0x1.a755e7c99ae86p+0,   0x1.ebd80d9b13df9p-3,   -0x1.8b6c33114eeaep-8,  -0x1.84576948353e1p-11,
    0x1.879c2a20da432p-13,  -0x1.d1d1f7ca4030fp-17, -0x1.6e8a53f106129p-20, 0x1.c6b4f890935ddp-22,
    -0x1.f36ce4ae847fdp-26, -0x1.1a9eb1bc8f0f0p-28, 0x1.20f4e6bf074cfp-30,  -0x1.dc3ee8b6c53ccp-35,
    -0x1.c89564c5d1004p-37, 0x1.723527b7cff86p-39,  -0x1.6d9ec5e3ec6afp-44, -0x1.686642b67610ap-45,
    0x1.db523eb040288p-48,  -0x1.73898c37dc54ap-55, -0x1.2c266176e7096p-53, 0x1.1f4ba5de5dc3fp-56,
    0x1.536d397f9b9b1p-60,  -0x1.9d290dd3bcb70p-62, -0x1.5087a244b0f6cp-70, 0x1.e9b8ae7230c25p-69};
/// erfinv(x) / x, sqrt(w) - 3.25 on [-0.75, 0.75]. Relative error 2^-53.13.
inline constexpr double kErfinvMiddle[] = {
    0x1.8abcc380d5a48p+1,   0x1.0158a6d641d54p+0,   0x1.5ffcfe5b719f9p-8,   -0x1.ebadabb9fd9f1p-9,
    0x1.468eeca714322p-9,   -0x1.ba9240d9b2f17p-10, 0x1.f3cc552429c6ep-11,  -0x1.7448bc836ce77p-12,
    0x1.932d7214af3e5p-16,  0x1.1e6ab3a043670p-14,  -0x1.8cf0b262c1ccfp-15, 0x1.a242ef796bd00p-17,
    0x1.88acd276a6afap-19,  -0x1.0b802ed0bed9ap-18, 0x1.9258036d02b70p-20,  -0x1.d0598615a724ep-26,
    -0x1.237fe96832d4bp-22, 0x1.19776de45f3acp-23,  0x1.9e24cf9195564p-31,  -0x1.03a34e6e16045p-26};
/// erfinv(x) / x, sqrt(w) - 5 on [-1.02, 1.02]. Relative error 2^-55.2.
inline constexpr double kErfinvTail[] = {
    0x1.3664ddd1ad7fbp+2,  0x1.02a30d1fba10ep+0,   -0x1.22ea5df1c8f21p-13, -0x1.c2f36aa28f24cp-13,
    0x1.3ebf4efa908b6p-14, -0x1.4a348fa1ae730p-16, 0x1.2fbcfdd2f6b5fp-18,  -0x1.0a908193abe30p-20,
    0x1.ebe2f3d112be9p-23, -0x1.22241cb178561p-24, 0x1.f28c83e93ee4ep-26,  -0x1.062ae669b3a9ep-26,
    0x1.0cb5b61ec8b4ep-27, -0x1.dc470e9811c16p-29, 0x1.69ed8b493d103p-30,  -0x1.e5215cc9926d5p-32,
    0x1.30de715303c97p-34, 0x1.81292212b93d0p-35,  -0x1.662c96f6f9d51p-36};
/// lgamma(2 + y) / (y (1 + y)) on [-1, 1]. Relative error 2^-56.05.
inline constexpr double kLgamma[] = {
    0x1.b0ee6072093cep-2,   -0x1.9ae6509ea109fp-4,  0x1.0e0c9df2935cep-5,  -0x1.95ce223a9ccefp-7,
    0x1.479748539658fp-8,   -0x1.145121f98a3c7p-9,  0x1.dfebcf9e3a196p-11, -0x1.a96a401fda6e3p-12,
    0x1.7ed73069f642cp-13,  -0x1.5c86b33a29beep-14, 0x1.402f77c319948p-15, -0x1.2850b6e854fa0p-16,
    0x1.13dbddcd4c38ep-17,  -0x1.022884cee4d11p-18, 0x1.e63dd1f85f483p-20, -0x1.cac9f4fe7556fp-21,
    0x1.a91686d709253p-22,  -0x1.936479fb9046fp-23, 0x1.bf8db5e33a58dp-24, -0x1.ac03e6dbcadd4p-25,
    0x1.962bc62ce7761p-28,  -0x1.77288613c1092p-29, 0x1.16378b8e8e56cp-26, -0x1.0d77de0390873p-27,
    -0x1.285a3a5829dd0p-28, 0x1.206dee4c838a5p-29,  0x1.b0d6e55603b75p-30, -0x1.a3f97b5464f9ap-31};
/// x (lgamma(x) - (x - 1/2) log(x) + x - log(2 pi) / 2), 1 / x^2 on [0, 1/64]. Relative error 2^-54.0.
inline constexpr double kStirling[] = {0x1.5555555555555p-4,   -0x1.6c16c16c16c0fp-9, 0x1.a01a01a00d0c8p-11,
                                       -0x1.381381168d370p-11, 0x1.b951b7066a805p-11, -0x1.f69af4cedb3c1p-10,
                                       0x1.a2565f7c03969p-8,   -0x1.c6897db52d634p-6, 0x1.c29fa984fd96ep-4};
/// digamma(x) / (x - its zero), x - 3/2 on [-1/2, 1/2]. Relative error 2^-54.2.
inline constexpr double kDigamma[] = {
    0x1.e6f0cbb873616p-1,  -0x1.b1cb63005ee98p-2,  0x1.eca189b8e6f6dp-3,  -0x1.2feeeb98a78eap-3,
    0x1.8512e5903903ep-4,  -0x1.fb44202a2306bp-5,  0x1.4de9aa1779d23p-5,  -0x1.b9f8b11bfd3d0p-6,
    0x1.2564717896ec6p-6,  -0x1.863563f44f303p-7,  0x1.03c0adafa529cp-7,  -0x1.5a06a5d662cb4p-8,
    0x1.cd2011454fd05p-9,  -0x1.336dbe66757c8p-9,  0x1.99d3f5c0cad5ep-10, -0x1.0fb38d217b800p-10,
    0x1.6a3e76070c135p-11, -0x1.fd8e50abf2196p-12, 0x1.53b23429da21bp-12, -0x1.2fae5cb379bf2p-13,
    0x1.94e73cc9821e1p-14, -0x1.75c084e78a4cdp-13, 0x1.f255c4568ac4dp-14};
/// x^2 (log(x) - 1 / (2 x) - digamma(x)), 1 / x^2 on [0, 1/100]. Relative error 2^-54.0.
inline constexpr double kDigammaTail[] = {0x1.5555555555555p-4,  -0x1.1111111111110p-7, 0x1.041041040eaa9p-8,
                                          -0x1.1111110aa9604p-8, 0x1.f07c120a33491p-8,  -0x1.5991e0f9ff368p-6,
                                          0x1.54b3a200e8e4dp-4,  -0x1.b59a48f6f7f9bp-2, 0x1.105c65c377d32p+1};
/// The positive zero of digamma, in two parts.
inline constexpr double kDigammaZero[] = {0x1.762d86356be3fp+0, 0x1.b86a722197829p-54};
/// The bits of 2 / pi after the point, behind a word of zeros.
inline constexpr std::uint64_t kTwoOverPi[] = {
    0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561,
    0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41,
    0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d, 0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab};

}  // namespace pellucid::kernels
