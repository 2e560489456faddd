"""The models by name. A new model is one file, and one line here."""

from .aae import AAE
from .ae import AE
from .base import Model
from .cv_vae import CVVAE
from .flex_ae import FlexAE
from .flow_vae import FlowVAE
from .gm_vae import GMVAE
from .gmm_dae import GMMDAE
from .iaf_vae import IAFVAE
from .info_vae import InfoVAE
from .injective_flow import InjectiveFlow
from .iop_vae import IOPVAE
from .irmae import IRMAE
from .lorae import LoRAE
from .mask_aae import MaskAAE
from .rae import RAE, RAEGP, RAEL2, RAESN
from .rrae import RRAE
from .vae import VAE
from .vamp_vae import VampVAE
from .vrrae import VRRAE
from .wae import WAE

MODELS: dict[str, type[Model]] = {
    kind.name: kind
    for kind in (
        *(AE, VAE, RRAE, VRRAE, IRMAE, LoRAE, RAE, RAEL2, RAEGP, RAESN, CVVAE, WAE, InfoVAE, GMMDAE),
        *(AAE, MaskAAE, FlexAE),
        *(VampVAE, GMVAE, FlowVAE, IAFVAE, IOPVAE, InjectiveFlow),
    )
}
