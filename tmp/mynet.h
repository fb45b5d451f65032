
#include <eml_net.h>
static const float mynet_layer_0_biases[1] = { -36.941920f };
static const float mynet_layer_0_weights[8] = { 0.436693f, 0.009436f, -0.107322f, 0.645066f, -0.000004f, -0.003787f, -0.421314f, -0.434514f };
static const float mynet_layer_1_biases[1] = { 0.000000f };
static const float mynet_layer_1_weights[1] = { 1.000000f };
static float mynet_buf1[8];
static float mynet_buf2[8];
static const EmlNetLayer mynet_layers[2] = { 
{ 1, 8, mynet_layer_0_weights, mynet_layer_0_biases, EmlNetActivationIdentity }, 
{ 1, 1, mynet_layer_1_weights, mynet_layer_1_biases, EmlNetActivationIdentity } };
static EmlNet mynet = { 2, mynet_layers, mynet_buf1, mynet_buf2, 8 };

    int32_t
    mynet_predict(const float *features, int32_t n_features)
    {
        return eml_net_predict(&mynet, features, n_features);
    }
    

    int32_t
    mynet_regress(const float *features, int32_t n_features, float *out, int32_t out_length)
    {
        return eml_net_regress(&mynet, features, n_features, out, out_length);
    }
    

    float
    mynet_regress1(const float *features, int32_t n_features)
    {
        return eml_net_regress1(&mynet, features, n_features);
    }
    