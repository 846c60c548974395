# CPU by default. For NVIDIA GPUs: docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 -t ttd .
FROM python:3.12-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

WORKDIR /opt/ttd
COPY constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt --index-url "$TORCH_INDEX" torch torchvision
COPY pyproject.toml README.md LICENSE ./
COPY ttd_core ttd_core
COPY ttd_cli ttd_cli
RUN pip install --no-cache-dir --constraint constraints.txt . && useradd --create-home ttd

USER ttd
WORKDIR /home/ttd
ENTRYPOINT ["ttd"]
