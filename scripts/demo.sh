#!/usr/bin/env bash
# Trains a network with two hidden layers on Fashion-MNIST (60,000 pictures of clothes, 28 x 28 pixels, ten classes), then
# shows how it does on the 10,000 test pictures that it has not seen.
set -euo pipefail
cd "$(dirname "$0")/.."

pellucid=build/release/pellucid
data=/usr/share/datasets/fashion-mnist
model=build/fashion.safetensors
names=t-shirt,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,boot

show() {
  printf '\n$ %s\n' "$*"
  "$@"
}
show $pellucid train $data --hidden 256,128 --epochs 10 --classes $names --out $model
show $pellucid inspect $model
